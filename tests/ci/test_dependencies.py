"""Every lock file is audited, and a finding in any of them fails."""

import json
import subprocess
import tomllib

import pytest

from tests.ci.scripts import ROOT, script

dependencies = script("dependencies")


@pytest.fixture
def folder(tmp_path, monkeypatch, programs):
    monkeypatch.setattr(dependencies, "FOLDER", tmp_path / "sbom")
    monkeypatch.setattr(dependencies, "PROGRAMS", programs.folder)
    programs.add("pip-audit", ("", '{"bomFormat": "CycloneDX"}', 0))
    programs.add("npm", ("", '{"bomFormat": "CycloneDX"}', 0))
    return tmp_path / "sbom"


def test_an_sbom_is_written_of_everything_that_is_locked(folder, programs):
    assert dependencies.main() == 0
    written = {file.name for file in folder.iterdir()}
    assert written == {
        "requirements.json",
        "requirements-cuda.json",
        "requirements-dev.json",
        "node.json",
        "node-audit.json",
    }
    assert "CycloneDX" in (folder / "requirements.json").read_text()
    assert all("--require-hashes" in call and "--disable-pip" in call for call in programs.calls("pip-audit"))


def test_every_lock_file_is_audited_but_the_one_with_a_local_version():
    locks = {path.name for path in ROOT.glob("requirements*.lock")}
    assert locks - set(dependencies.LOCKS) == {"requirements-cpu.lock"}


@pytest.mark.parametrize(
    ("program", "asked", "named"),
    [("pip-audit", "requirements-dev.lock", "requirements-dev.json"), ("npm", "audit", "node-audit.json")],
)
def test_a_vulnerability_fails_and_the_others_are_still_looked_for(folder, programs, capfd, program, asked, named):
    programs.add(program, (asked, "{}", 1), ("", "{}", 0))
    assert dependencies.main() == 1
    assert f"{named}: a package has a known vulnerability" in capfd.readouterr().err
    assert len(programs.calls("pip-audit")) == 3 and len(programs.calls("npm")) == 2


def test_the_real_programs_read_what_is_locked():
    """Without the databases: what is asked of each index is left out."""
    for name, command in dependencies.checks().items():
        if name == "node-audit.json":
            continue
        offline = [*command, "--dry-run"] if "pip-audit" in command[0] else command
        run = subprocess.run(offline, cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)["bomFormat"] == "CycloneDX"


def test_every_description_of_the_project_has_the_same_version():
    """npm makes no SBOM of a project without one."""
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    node, locked = (json.loads((ROOT / name).read_text()) for name in ("package.json", "package-lock.json"))
    assert {node["version"], locked["version"], locked["packages"][""]["version"]} == {python}
