"""Everything that is built and run comes from the source and in the version that we pinned."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REQUIREMENTS = sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements*.txt")])
LOCKS = sorted(ROOT.glob("requirements*.lock"))
APART = ROOT / "template_audit" / "requirements-checkov.lock"
"""The packages of an environment of its own."""

INSTALLERS = [ROOT / "Makefile", ROOT / "stacks" / "layers.py", *sorted((ROOT / "runtime").glob("*.Dockerfile"))]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=WORKFLOWS, ids=named)
def workflow(request) -> str:
    text: str = request.param.read_text()
    return text


def test_an_action_is_pinned_by_its_commit(workflow):
    used = re.findall(r"uses: *(\S+)", workflow)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_ci_holds_no_key_and_may_only_read(workflow):
    assert re.findall(r"^permissions: *(.*)$", workflow, re.MULTILINE) == ["{}"]
    assert set(re.findall(r"^ +([\w-]+): *(?:read|write)(?:-all)?$", workflow, re.MULTILINE)) == {"contents"}
    assert not re.search(r"secrets\.|id-token|: *write|pull_request_target|configure-aws", workflow)
    assert "persist-credentials: false" in workflow


@pytest.mark.parametrize("path", REQUIREMENTS, ids=named)
def test_a_library_is_named_with_its_version_and_comes_from_the_one_index(path):
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    libraries = [line for line in lines if line and not line.startswith("-r ")]
    assert [line for line in libraries if not re.fullmatch(r"[\w.-]+(?:\[[\w,-]+\])?==[\w.+!-]+", line)] == []


def spelled(name):
    """Return a package name in one spelling: case, hyphens, underscores and dots do not matter."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path) -> dict[str, str]:
    return {
        spelled(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("path", [*LOCKS, APART], ids=named)
def test_a_locked_package_has_a_version_and_hashes_and_names_no_place(path):
    entries = [entry for entry in re.split(r"\n(?=\S)", path.read_text().strip()) if not entry.startswith("#")]
    assert entries
    entry = r"[\w.-]+==[\w.!+-]+(?: \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [each for each in entries if not re.fullmatch(entry, each)] == []


def test_no_package_is_locked_twice_but_torch_for_processors_or_for_gpus():
    names = [name for path in LOCKS for name in locked(path)]
    assert len(names) == len(set(names)) + 1
    cpu, cuda = (locked(ROOT / f"requirements-{kind}.lock") for kind in ("cpu", "cuda"))
    assert cpu == {"torch": f"{cuda['torch']}+cpu"}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=named)
def test_the_lock_files_hold_the_version_that_a_requirement_names(path):
    locks = [APART] if path.parent == APART.parent else LOCKS
    everywhere = {name: version for lock in locks for name, version in locked(lock).items()}
    wanted = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", path.read_text(), re.MULTILINE)
    assert {spelled(name): version for name, version in wanted}.items() <= everywhere.items()


def test_the_demo_needs_nothing_that_only_the_tests_install():
    assert {"pytest", "moto", "mypy"} <= locked(ROOT / "requirements-dev.lock").keys()
    assert {"transformers", "ministack", "aws-cdk-lib"} <= locked(ROOT / "requirements.lock").keys()


def test_everything_is_installed_with_its_hash():
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line or "$(EDITABLE)" in line for line in installs)
    assert "--no-build-isolation" in makefile


@pytest.mark.parametrize("path", INSTALLERS, ids=named)
def test_no_installer_asks_a_second_index(path):
    assert not re.search(r"index-url|find-links|--registry|https?://", path.read_text())


def test_the_cdk_command_is_the_one_whose_hash_is_known():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}
    assert installed
    assert all(package["integrity"].startswith("sha512-") for package in installed.values())
    assert "npm ci " in (ROOT / "Makefile").read_text()
