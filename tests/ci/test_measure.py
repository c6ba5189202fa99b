"""The table of coverage: what counts, what is required, and where a part of it comes from another process."""

import shutil
import subprocess
import sys
import textwrap
import tomllib

import pytest

from tests.ci.scripts import ROOT, script

measure = script("measure")

MODULE = """
def sign(number: int) -> str:
    if number < 0:
        return "minus"
    return "plus"
"""
CHILD = """
import subprocess, sys

def test_in_another_process():
    subprocess.run([sys.executable, "-c", "from ours.module import sign; sign(-1)"], check=True, env={environment})
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with a package `ours`, whose module has two ways through it, and a branch `main`."""
    for name, text in {
        "pyproject.toml": """
            [tool.coverage.run]
            branch = true
            data_file = "build/coverage/data"
            source_pkgs = ["ours"]
            patch = ["subprocess", "_exit"]
            sigterm = true
            disable_warnings = ["module-not-imported", "module-not-measured", "no-data-collected"]
            """,
        "ours/__init__.py": "",
        "ours/module.py": MODULE,
        ".gitignore": "build/\n",
        "test_it.py": "from ours.module import sign\n\ndef test_plus():\n    assert sign(1) == 'plus'\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Add it")
    git(tmp_path, "switch", "--quiet", "--create", "change")
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "FOLDER", tmp_path / "build" / "coverage")
    monkeypatch.setattr(measure, "CONFIGURATION", tmp_path / "pyproject.toml")
    monkeypatch.chdir(tmp_path)
    # This test may be measured itself.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    return tmp_path


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)


def reported(capfd, *arguments):
    code = measure.main(["report", *arguments])
    said = capfd.readouterr()
    return code, said.out, said.err


def test_a_branch_that_no_test_takes_counts_as_missing(project, capfd):
    assert measure.main(["run", "-p", "no:cacheprovider", "test_it.py"]) == 0
    code, out, err = reported(capfd)
    # Of four statements and two branches, one of each is missing.
    assert out.splitlines()[-1] == "total 66.7 %"
    assert code == 1 and "ours: 66.7 % is run by tests, 90 % is required" in err


def test_parts_are_combined_with_what_other_processes_ran(project, capfd):
    (project / "test_child.py").write_text(CHILD.format(environment="None"))
    measure.main(["run", "-p", "no:cacheprovider", "test_it.py"])
    part = project / "build" / "coverage" / "coverage-unit"
    part.mkdir()
    for file in (project / "build" / "coverage").glob("data*"):
        shutil.move(file, part)
    measure.main(["run", "-p", "no:cacheprovider", "test_child.py"])
    code, out, err = reported(capfd)
    assert (code, out.splitlines()[-1], err) == (0, "total 100.0 %", "")


def test_a_process_without_the_variable_is_not_measured(project, capfd):
    """This shows that the test above sees the other process."""
    (project / "test_child.py").write_text(CHILD.format(environment="{}"))
    measure.main(["run", "-p", "no:cacheprovider", "test_it.py", "test_child.py"])
    assert reported(capfd)[1].splitlines()[-1] == "total 66.7 %"


def test_a_module_that_nothing_imports_counts(project, capfd):
    (project / "ours" / "forgotten.py").write_text("one = 1\ntwo = 2\n")
    measure.main(["run", "-p", "no:cacheprovider", "test_it.py"])
    assert reported(capfd)[1].splitlines()[-1] == "total 50.0 %"


def test_changed_lines_have_a_figure_of_their_own(project, capfd):
    (project / "ours" / "module.py").write_text(MODULE + "\n\ndef untested() -> None:\n    print(1)\n")
    git(project, "commit", "--quiet", "--all", "--message", "Change it")
    measure.main(["run", "-p", "no:cacheprovider", "test_it.py"])
    code, out, err = reported(capfd)
    (row,) = (line.split() for line in out.splitlines() if line.startswith("changed lines"))
    assert row[2:] == ["1", "2", "50.0", "95"]
    assert code == 1 and "changed lines: 50.0 % is run by tests, 95 % is required\n  ours/module.py: 9\n" in err


def test_without_changes_there_is_nothing_to_miss(project, capfd):
    measure.main(["run", "-p", "no:cacheprovider", "test_it.py"])
    (row,) = (line.split() for line in reported(capfd)[1].splitlines() if line.startswith("changed lines"))
    assert row[2:] == ["0", "0", "100.0", "95"]


def test_the_branch_can_be_named(project, capfd):
    measure.main(["run", "-p", "no:cacheprovider", "test_it.py"])
    with pytest.raises(subprocess.CalledProcessError):
        measure.main(["report", "--since", "no-such-branch"])


def test_a_test_that_fails_is_not_hidden(project):
    (project / "test_it.py").write_text("def test_it():\n    assert False\n")
    assert measure.main(["run", "-p", "no:cacheprovider", "test_it.py"]) == 1


def test_without_measurements_the_report_says_how_to_make_them(project, capfd):
    code, _, err = reported(capfd)
    assert code == 1 and "run the tests by `make coverage`" in err


def summary(covered, counted):
    found = {"covered_lines": covered, "covered_branches": 0, "num_statements": counted, "num_branches": 0}
    return {"summary": found}


def test_the_domain_is_held_to_more_than_the_rest():
    files = {"triage/a.py": summary(94, 100), "cli/a.py": summary(40, 50), "cli/aws/b.py": summary(52, 50)}
    domain = {row.name: row for row in measure.by_package(files)}
    assert domain["triage"].too_low and domain["triage"].required == 95
    assert (domain["cli"].covered, domain["cli"].counted, domain["cli"].too_low) == (92, 100, False)


def test_the_total_is_of_all_packages_and_not_of_the_changes():
    rows = [measure.Row("a", 9, 10, 90), measure.Row("b", 1, 10, 90), measure.Row(measure.CHANGES, 0, 100, 95)]
    assert measure.table(rows).splitlines()[-1] == "total 50.0 %"


def test_it_runs_as_a_program():
    run = subprocess.run([sys.executable, ".ci/measure.py", "--help"], capture_output=True, text=True, check=True)
    assert "measure.py report" in run.stdout


def test_every_package_is_measured():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["run"]["source_pkgs"]
    assert configured == sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
