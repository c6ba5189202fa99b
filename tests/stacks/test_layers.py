import re
import subprocess
from pathlib import Path

import pytest

from stacks import layers
from stacks.packages import ARCHITECTURE, ROOT, RUNTIME, digest

LOCKS = sorted((ROOT / "runtime").glob("*.lock"))
OTHER_THAN_HERE = {"torch": "later versions on the package index are built for CUDA on aarch64 too"}


def locked(*files: Path) -> dict[str, str]:
    text = "".join(file.read_text() for file in files)
    found = re.findall(r"^([\w.-]+)==([^\s+]+)", text, re.MULTILINE)
    return {name.replace("_", "-").lower(): version for name, version in found}


def stated_megabytes(lock: Path) -> int:
    """What `make lock` recorded when it installed the file."""
    found = re.match(r"# (\d+) MB unpacked, for Python ([\d.]+) on aarch64\.\n", lock.read_text())
    assert found and found[2] == layers.PYTHON_VERSION
    return int(found[1])


def test_layers_are_built_for_the_functions_python_and_processor():
    assert f"python{layers.PYTHON_VERSION}" == RUNTIME.name
    assert ARCHITECTURE.name == "arm64"
    assert all(platform.endswith("_aarch64") for platform in layers.PLATFORMS)


def test_layers_are_those_that_the_functions_take(dev):
    taken = {path.removeprefix("Packages/").lower() for path in dev.stateless.of_type("AWS::Lambda::LayerVersion")}
    assert taken == layers.LAYERS.keys()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.stem))
def test_functions_run_the_versions_that_the_tests_run(lock):
    here = locked(*ROOT.glob("requirements*.lock"))
    differing = {name for name, version in locked(lock).items() if here.get(name) != version}
    assert differing <= OTHER_THAN_HERE.keys()
    assert locked(lock).items() >= locked(*required(lock.with_suffix(".txt"))).items()


def required(file: Path) -> list[Path]:
    """A file of requirements, and those that it includes."""
    included = re.findall(r"^-r (\S+)$", file.read_text(), re.MULTILINE)
    return [file, *(path for name in included for path in required(file.parent / name))]


def test_each_layer_and_the_image_have_a_lock_file_and_nothing_else_has():
    assert {*layers.LAYERS.values(), ROOT / "runtime" / "requirements-image.lock"} == {*LOCKS}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.stem))
def test_functions_install_nothing_for_gpus(lock):
    """A build of torch for CUDA would need 4.6 GB, and take longer to load than a function may run."""
    assert not [name for name in locked(lock) if name.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.parametrize("name", layers.LAYERS)
def test_a_layer_carries_no_torch(name):
    assert not {"torch", "transformers"} & locked(layers.LAYERS[name]).keys()


def test_every_package_fits_what_lambda_takes():
    code = layers.megabytes(ROOT / "triage") + layers.megabytes(ROOT / "runtime")
    for lock in layers.LAYERS.values():
        assert 0 < stated_megabytes(lock) + code < layers.LAMBDA_LIMIT_MEGABYTES
    # The system and Python of the base image need about as much again. Lambda takes 10,000 MB, but loads them slowly.
    assert 0 < stated_megabytes(ROOT / "runtime" / "requirements-image.lock") < 1000


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "BUILD", tmp_path / "build")
    return tmp_path / "build" / "layers"


class Installer:
    """A stand-in for pip: it writes a library, its record, and a command that names the Python that it runs in."""

    def __init__(self, megabytes: float = 1, python: str = "/somewhere/python") -> None:
        self.megabytes, self.python, self.calls = megabytes, python, list[list[str]]()

    def __call__(self, command: list[str], *, check: bool) -> None:
        assert check
        self.calls.append(command)
        target = Path(command[command.index("--target") + 1])
        for folder in ("bin", "library-1.dist-info"):
            (target / folder).mkdir(parents=True)
        with (target / "library.so").open("wb") as file:
            file.truncate(round(self.megabytes * 1e6))
        (target / "bin" / "tool").write_text(f"#!{self.python}")
        (target / "library-1.dist-info" / "RECORD").write_text(f"../../bin/tool,{hash(self.python)}")
        (target / "library-1.dist-info" / "METADATA").write_text("Name: library")


def test_a_layer_holds_locked_wheels_alone_and_nothing_of_an_earlier_build(build, tmp_path, monkeypatch):
    pip = Installer(megabytes=3)
    monkeypatch.setattr(subprocess, "run", pip)
    (build / "onnx" / "python").mkdir(parents=True)
    (build / "onnx" / "python" / "EMPTY").touch()
    folder = layers.build("onnx", tmp_path / "requirements.lock")
    assert folder == build / "onnx"
    assert layers.megabytes(folder) == pytest.approx(3, rel=0.01)
    assert sorted(path.name for path in (folder / "python").iterdir()) == ["library-1.dist-info", "library.so"]
    assert {"--only-binary=:all:", "--require-hashes", "--no-deps", "--no-compile"} <= {*pip.calls[0]}


def test_equal_lock_files_give_equal_bytes_on_every_machine(build, tmp_path, monkeypatch):
    digests = set()
    for python in ("/home/ann/.venv/bin/python", "/usr/bin/python"):
        monkeypatch.setattr(subprocess, "run", Installer(python=python))
        digests.add(digest(layers.build("onnx", tmp_path / "requirements.lock")))
    assert len(digests) == 1


def test_a_layer_that_lambda_would_refuse_is_refused(build, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", Installer(megabytes=layers.LAMBDA_LIMIT_MEGABYTES))
    with pytest.raises(SystemExit, match=r"control has 25\d MB with the code, and Lambda takes 250 MB"):
        layers.main()
    header, row = capsys.readouterr().out.splitlines()
    assert row.split()[:2] == ["control", "250"]
    assert header.split()[-1] == "sha256" and len(row.split()[-1]) == 16
