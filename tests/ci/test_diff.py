"""One comment tells what a pull request changes, and a loss fails unless it is accepted."""

import json

import pytest

from tests.ci.scripts import script

diff = script("diff")

HARMLESS = "Stack Complaints-dev/Stateless (Complaints-dev-Stateless)\nThere were no differences\n"
LOSS = (
    "Stack Complaints-prod/Stateful (Complaints-prod-Stateful)\n[-] AWS::DynamoDB::GlobalTable Data/Raw Raw1 orphan\n"
)


@pytest.fixture
def folder(tmp_path, monkeypatch, programs):
    """The diffs of both environments, as the jobs before have written them."""
    monkeypatch.setattr(diff, "FOLDER", tmp_path)
    monkeypatch.setenv("PULL_REQUEST", "7")
    monkeypatch.setenv("LABELS", "[]")
    programs.add("gh", ("", "", 0))
    (tmp_path / "dev.txt").write_text(HARMLESS)
    (tmp_path / "prod.txt").write_text(LOSS)
    return tmp_path


def test_a_loss_fails_after_it_was_told(folder, programs, capfd):
    assert diff.main(["comment"]) == 1
    (call,) = programs.calls("gh")
    assert call[:3] == ["pr", "comment", "7"] and {"--edit-last", "--create-if-none"} < set(call)
    text = (folder / "comment.md").read_text()
    assert "prod: `Data/Raw Raw1` of Complaints-prod-Stateful" in text
    assert "is left behind, and nothing uses it any more" in text
    assert HARMLESS.strip() in text and LOSS.strip() in text
    assert "something would be lost, or stop" in capfd.readouterr().err


def test_the_label_accepts_a_loss_and_the_comment_still_tells_it(folder, monkeypatch):
    monkeypatch.setenv("LABELS", json.dumps(["enhancement", "destructive"]))
    assert diff.main(["comment"]) == 0
    assert "**Something is lost.** The label `destructive` accepts it." in (folder / "comment.md").read_text()


def test_what_would_stop_the_deployment_fails_and_is_told(folder, monkeypatch):
    removed = '[-] Output Exports7: {"Value":{"Ref":"Table"},"Export":{"Name":"Complaints-prod-Stateful:Exports7"}}\n'
    (folder / "prod.txt").write_text("Stack Complaints-prod/Stateful (Complaints-prod-Stateful)\n" + removed)
    assert diff.main(["comment"]) == 1
    text = (folder / "comment.md").read_text()
    assert "**The deployment would stop.**" in text and "lost" not in text
    assert "- prod: `Exports7` of Complaints-prod-Stateful is exported no more" in text
    monkeypatch.setenv("LABELS", json.dumps(["destructive"]))
    assert diff.main(["comment"]) == 0


def test_without_a_loss_the_comment_shows_the_changes(folder):
    (folder / "prod.txt").write_text(HARMLESS)
    assert diff.main(["comment"]) == 0
    assert "lost" not in (folder / "comment.md").read_text()


def test_a_removal_that_cannot_be_read_fails(folder):
    (folder / "prod.txt").write_text("[-] AWS::S3::Bucket Data/Bucket Bucket1 vanish\n")
    with pytest.raises(diff.UnreadableError):
        diff.main(["comment"])


def test_a_comment_fits_what_github_takes(folder):
    (folder / "prod.txt").write_text(LOSS + "[+] AWS::SQS::Queue Data/Queue Queue1\n" * 5000)
    assert diff.main(["comment"]) == 1
    text = (folder / "comment.md").read_text()
    assert len(text) <= 65_536
    assert "cut here" in text and "`Data/Raw Raw1`" in text


def test_without_a_diff_nothing_is_accepted(folder, programs):
    for file in folder.glob("*.txt"):
        file.unlink()
    assert diff.main(["comment"]) == 1
    assert programs.calls("gh") == []


def test_what_the_cdk_command_says_is_kept(folder, programs, capfd):
    programs.add("node", ("environment=dev", LOSS, 0), ("environment=prod", "no credentials", 1))
    diff_of = {environment: diff.show(environment) for environment in ("dev", "prod")}
    assert diff_of == {"dev": 0, "prod": 1}
    assert (folder / "dev.txt").read_text().strip() == LOSS.strip()
    assert "no credentials" in capfd.readouterr().out
    assert all("--method=template" in call for call in programs.calls("node"))


def test_it_explains_itself(capfd):
    assert diff.main([]) == 2
    assert "diff.py show ENVIRONMENT" in capfd.readouterr().err
