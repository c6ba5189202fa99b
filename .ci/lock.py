"""Write the lock files: every package of the environment, with its version and the SHA-256 of each file that may serve.

requirements.lock holds what `make demo` installs besides torch, and requirements-dev.lock what `make test` adds. torch
comes from requirements-cpu.lock where pip finds the build for processors, a tenth as large, and otherwise, with the
libraries that it needs, from requirements-cuda.lock.

The lock files in runtime/ hold what Lambda functions run: the layers, and the image of the transformers functions, for
their Python and processor. Their packages have the versions of the other lock files.

Direct requirements may change freely. Any other package keeps the version of the present lock files; to let one move,
delete its lines there first.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import SpecifierSet
from pip._vendor.packaging.utils import canonicalize_name

from stacks.layers import PLATFORMS as PLATFORMS_OF_LAMBDA
from stacks.layers import PYTHON_VERSION, install, megabytes

ROOT = Path(__file__).parents[1]
PLATFORMS = (*(f"manylinux_2_{minor}" for minor in range(28, 4, -1)), "manylinux2014", "manylinux2010", "manylinux1")
MACHINES = ("x86_64", "aarch64")
APART = ROOT / "template_audit" / "requirements-checkov.txt"
"""The requirements of an environment of its own. Its versions have nothing to do with those of the others."""

CUDA = ("nvidia-", "cuda-", "triton")
TORCH = "torch"
FUNCTIONS = ("requirements.txt", "requirements-onnx.txt", "requirements-image.txt")
LAMBDA = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON_VERSION}.0",
    "python_version": PYTHON_VERSION,
    "sys_platform": "linux",
}
"""What environment markers are evaluated with. pip would take this machine's values."""

NO_CONFIGURATION = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
"""The index alone, without what this machine adds to it: such as a torch for processors."""

Found = list[dict[str, Any]]


def main() -> None:
    wanted = _direct(ROOT / "requirements-dev.txt")
    kept = [f"{name}=={version}" for name, version in _locked().items() if name not in {r.name for r in wanted}]
    resolved = {_name(one): one for one in _report([str(each) for each in wanted], keep=kept, env=NO_CONFIGURATION)}
    pins = {name: one["metadata"]["version"].partition("+")[0] for name, one in resolved.items()}
    hashes = _hashes([f"{name}=={version}" for name, version in sorted(pins.items())])
    cuda = {name for name in resolved if name.startswith((*CUDA, TORCH))}
    demo = _closure(_direct(ROOT / "requirements-demo.txt"), resolved) - cuda
    for file, names in (("", demo), ("-dev", resolved.keys() - demo - cuda), ("-cuda", cuda)):
        _write(file, {f"{name}=={pins[name]}": hashes[name] for name in sorted(names)})
    for file in FUNCTIONS:
        _lock_functions(ROOT / "runtime" / file, pins)
    (torch,) = _report([f"{TORCH}=={pins[TORCH]}"], "--no-deps", env={})
    if (version := torch["metadata"]["version"]).endswith("+cpu"):
        _write("-cpu", {f"{TORCH}=={version}": {_sha256(torch)}})
    _lock_apart()


def _lock_apart() -> None:
    wanted = _direct(APART)
    lock = APART.with_suffix(".lock")
    kept = _pins(lock.read_text() if lock.exists() else "")
    keep = [f"{name}=={version}" for name, version in kept.items() if name not in {r.name for r in wanted}]
    found = _report([str(each) for each in wanted], keep=keep, env=NO_CONFIGURATION)
    pins = {_name(one): one["metadata"]["version"] for one in found}
    # Some are sources alone: one file for every machine.
    sources = {_name(one): {_sha256(one)} for one in found if not one["download_info"]["url"].endswith(".whl")}
    hashes = _hashes([f"{name}=={version}" for name, version in sorted(pins.items()) if name not in sources]) | sources
    _write_lock(lock, {f"{name}=={pins[name]}": hashes[name] for name in sorted(pins)})


def _lock_functions(file: Path, pins: Mapping[str, str]) -> None:
    """Lock what a file requires on Lambda, and record the size of what it installs."""
    found = _resolve_for_lambda(_direct(file), pins)
    hashes = {f"{name}=={one['metadata']['version']}": {_sha256(one)} for name, one in sorted(found.items())}
    lock = file.with_suffix(".lock")
    _write_lock(lock, hashes)
    with TemporaryDirectory() as target:
        install(lock, Path(target))
        size = f"{megabytes(Path(target)):.0f} MB unpacked"
    _write_lock(lock, hashes, remark=f"# {size}, for Python {PYTHON_VERSION} on {LAMBDA['platform_machine']}.\n")


def _resolve_for_lambda(direct: list[Requirement], pins: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the wheels of the requirements and of all that they require in turn. pins: versions of other packages."""
    tags = [f"--platform={platform}" for platform in PLATFORMS_OF_LAMBDA]
    options = ("--no-deps", "--only-binary=:all:", f"--python-version={PYTHON_VERSION}", *tags)
    wanted = {canonicalize_name(each.name): each.specifier for each in direct}
    kept = [f"{name}=={version}" for name, version in pins.items() if name not in wanted]
    found: dict[str, dict[str, Any]] = {}
    while missing := wanted.keys() - found.keys():
        with TemporaryDirectory() as target:
            asked = [f"{name}{wanted[name]}" for name in sorted(missing)]
            report = _report(asked, *options, "--target", target, env=NO_CONFIGURATION, keep=kept)
        found |= {_name(one): one for one in report}
        for one in report:
            for needed in map(Requirement, one["metadata"].get("requires_dist", ())):
                if needed.marker is None or needed.marker.evaluate({**LAMBDA, "extra": ""}):
                    name = canonicalize_name(needed.name)
                    wanted[name] = wanted.get(name, SpecifierSet()) & needed.specifier
    wrong = [name for name, one in found.items() if not wanted[name].contains(one["metadata"]["version"])]
    if wrong:
        sys.exit(f"no version fits all requirements of {', '.join(wrong)}: change the versions in runtime/*.txt")
    return found


def _write(file: str, hashes: Mapping[str, set[str]]) -> None:
    _write_lock(ROOT / f"requirements{file}.lock", hashes)


def _write_lock(path: Path, hashes: Mapping[str, set[str]], *, remark: str = "") -> None:
    text = remark + "# Written by `make lock` from the requirements*.txt files.\n"
    for pin, known in hashes.items():
        text += pin + "".join(f" \\\n    --hash=sha256:{one}" for one in sorted(known)) + "\n"
    path.write_text(text)


def _sha256(found: dict[str, Any]) -> str:
    return str(found["download_info"]["archive_info"]["hashes"]["sha256"])


def _name(found: dict[str, Any]) -> str:
    return canonicalize_name(found["metadata"]["name"])


def _direct(file: Path) -> list[Requirement]:
    """Return the requirements of a file and of the files that it includes."""
    found = []
    for line in file.read_text().splitlines():
        if line.startswith("-r "):
            found += _direct(file.parent / line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def _locked() -> dict[str, str]:
    return _pins("".join(path.read_text() for path in ROOT.glob("requirements*.lock")))


def _pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def _closure(direct: list[Requirement], resolved: dict[str, dict[str, Any]]) -> set[str]:
    """Return the names of the requirements and of all that they require in turn."""
    reached: set[tuple[str, str]] = set()
    open_ = [(canonicalize_name(each.name), extra) for each in direct for extra in ("", *each.extras)]
    while open_:
        name, extra = one = open_.pop()
        if one in reached:
            continue
        reached.add(one)
        for line in resolved[name]["metadata"].get("requires_dist", ()):
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                open_ += [(canonicalize_name(needed.name), each) for each in ("", *needed.extras)]
    return {name for name, _ in reached}


def _hashes(pins: list[str]) -> dict[str, set[str]]:
    """Return the SHA-256 of the files that pip chooses on each machine, with and without this one's configuration."""
    served = [pin for pin in pins if not pin.startswith((*CUDA, TORCH))]
    hashes: defaultdict[str, set[str]] = defaultdict(set)
    with TemporaryDirectory() as target, ThreadPoolExecutor() as beside:
        runs = [beside.submit(_report, served, "--no-deps", env={})]
        for machine in MACHINES:
            tags = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
            options = ("--no-deps", "--target", target, "--only-binary=:all:", "--python-version=3.11", *tags)
            runs.append(beside.submit(_report, pins, *options, env=NO_CONFIGURATION))
        for one in (found for run in runs for found in run.result()):
            hashes[_name(one)].add(_sha256(one))
    return hashes


def _report(requirements: list[str], *options: str, env: dict[str, str], keep: list[str] | None = None) -> Found:
    """Return what pip would install."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", *options]
    with NamedTemporaryFile("r", suffix=".json") as report, NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(keep or ()))
        constraints.flush()
        command += ["--report", report.name, "--constraint", constraints.name, *requirements]
        subprocess.run(command, check=True, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
        found: Found = json.load(report)["install"]
    return found


if __name__ == "__main__":
    main()
