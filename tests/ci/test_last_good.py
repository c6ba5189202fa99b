"""A deployment that failed is followed by the last good version, which GitHub remembers."""

import subprocess

import pytest

from tests.ci.scripts import script

last_good = script("last_good")
REPOSITORY = "megabank/complaints"


def deployed(programs, *deployments):
    """Let GitHub tell of these deployments, the newest first: each a commit and its states."""
    listed = [{"id": number, "sha": commit} for number, (commit, _) in enumerate(deployments, start=1)]
    statuses = [
        (f"deployments/{number}/statuses", [{"state": state} for state in states], 0)
        for number, (_, states) in enumerate(deployments, start=1)
    ]
    programs.add("gh", *statuses, ("deployments?environment=prod", listed, 0))


@pytest.fixture
def job(monkeypatch, tmp_path, programs):
    """A job whose commit `bad` has failed, with a Makefile and a git that note what they are asked for."""
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    monkeypatch.setenv("GITHUB_SHA", "bad")
    monkeypatch.setenv("MAKEFLAGS", "s")
    checkout = tmp_path / "last-good"
    checkout.mkdir()
    monkeypatch.setattr(last_good, "CHECKOUT", checkout)
    programs.add("git", ("", "", 0))
    programs.add("make", ("", "", 0))
    return checkout


def test_the_newest_version_that_succeeded_is_deployed_again(job, programs, capfd):
    deployed(
        programs,
        ("bad", ["in_progress"]),
        ("worse", ["failure", "in_progress"]),
        ("good", ["success", "in_progress"]),
        ("older", ["inactive", "success"]),
    )
    assert last_good.main(["prod"]) == 0
    assert programs.calls("git") == [["worktree", "add", "--force", "--detach", str(job), "good"]]
    # Exports of the stateful stack cannot be removed while the other one imports them.
    assert programs.calls("make") == [
        ["deploy", "ENVIRONMENT=prod", "STACKS=--exclusively Complaints-prod/Stateless"],
        ["deploy", "ENVIRONMENT=prod", "STACKS=--all"],
    ]
    assert "prod returns to good" in capfd.readouterr().out


def test_a_success_that_was_followed_by_another_still_counts(job, programs):
    deployed(programs, ("bad", ["in_progress"]), ("good", ["inactive", "success"]))
    assert last_good.last_good(REPOSITORY, "prod", failed="bad") == "good"


def test_the_version_that_has_failed_now_is_not_returned_to(job, programs):
    """It may have succeeded before, when the job is run again."""
    deployed(programs, ("bad", ["in_progress"]), ("bad", ["success"]), ("good", ["inactive", "success"]))
    assert last_good.last_good(REPOSITORY, "prod", failed="bad") == "good"


@pytest.mark.parametrize("before", [[], [("worse", ["failure"])]])
def test_without_a_good_version_nothing_is_deployed(job, programs, before, capfd):
    deployed(programs, ("bad", ["in_progress"]), *before)
    assert last_good.main(["prod"]) == 1
    assert programs.calls("make") == []
    assert "no version but bad was deployed to prod with success" in capfd.readouterr().err


def test_a_return_that_fails_calls_for_a_person(job, programs, capfd):
    deployed(programs, ("bad", []), ("good", ["success"]))
    programs.add("make", ("deploy", "", 2))
    assert last_good.main(["prod"]) == 1
    assert "make failed with 2. prod needs a person now" in capfd.readouterr().err


def test_what_github_refuses_is_told(job, programs, capfd):
    programs.add("gh", ("deployments", "", 4))
    assert last_good.main(["prod"]) == 1
    assert "gh failed with 4" in capfd.readouterr().err
    assert programs.calls("make") == []


def test_the_variables_of_make_do_not_reach_the_other_make(job, programs, monkeypatch):
    seen: dict[str, str] = {}
    monkeypatch.setattr(last_good.subprocess, "run", lambda command, **given: seen.update(given.get("env") or {}))
    last_good.deploy("good", "prod")
    assert "PATH" in seen and "MAKEFLAGS" not in seen


def test_a_commit_is_checked_out_beside_this_one(tmp_path, monkeypatch, programs):
    """With the real git, twice: a job that is run again finds the folder of the first."""
    root = tmp_path / "repository"
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    (root / "Makefile").write_text("deploy:\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "Add it"], check=True)
    monkeypatch.setattr(last_good, "ROOT", root)
    monkeypatch.setattr(last_good, "CHECKOUT", root / "build" / "last-good")
    programs.add("make", ("", "", 0))
    last_good.deploy("HEAD", "prod")
    assert (root / "build" / "last-good" / "Makefile").read_text() == "deploy:\n"


def test_it_explains_itself(capfd):
    assert last_good.main([]) == 2
    assert "last_good.py ENVIRONMENT" in capfd.readouterr().err
