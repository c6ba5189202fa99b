"""The command against a Hub on loopback, as the embedded AWS would name it."""

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from cli import dataset
from local.state import Instance, Ports, Process
from tests.hub import served
from tests.training.exports import any_export
from training.dataset import load_labelled
from training.sources import located

REPO = "megabank/complaints"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with served(tmp_path_factory.mktemp("hub")) as address:
        yield address


@pytest.fixture
def triage(shell, endpoint, monkeypatch, tmp_path):
    """The command as the shell runs it, on an instance whose Hub is that of the tests."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home/hub"))
    port = int(endpoint.rpartition(":")[2])
    instance = Instance(state=tmp_path, ports=Ports(hub=port), supervisor=Process(pid=1, started=0.0))
    monkeypatch.setattr(dataset, "running_instance", lambda state: instance)

    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = shell(*arguments)
        return code, out, " ".join(err.split())

    return run


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    return any_export(tmp_path_factory.mktemp("export"))


def test_an_export_becomes_a_dataset_that_can_be_read_back(triage, export, endpoint):
    code, out, _ = triage("dataset", "publish", export, REPO, "--json")
    told = json.loads(out)
    assert (code, told["dataset"], told["source"]) == (0, REPO, f"hf://{REPO}@{told['revision']}")
    path = located(f"{told['source']}:grouped", endpoint=endpoint)
    assert load_labelled(path).fingerprint == told["fingerprints"]["grouped"]
    assert sum(told["rows"]["grouped"].values()) == 120


def test_the_same_export_is_the_same_commit_and_a_dataset_can_be_published_again(triage, export):
    first, again = (json.loads(triage("dataset", "publish", export, REPO, "--json")[1]) for _ in range(2))
    assert first == again
    other = json.loads(triage("dataset", "publish", f"{first['source']}:grouped", "megabank/copy", "--json")[1])
    assert other["source_fingerprint"] == first["fingerprints"]["grouped"]


def test_people_see_the_parts_and_where_to_read_them(triage, export):
    code, out, _ = triage("dataset", "publish", export, REPO, "--test-from", "2024-08-01", "--seed", 3)
    assert code == 0
    assert "time" in out and "grouped" in out and f"hf://{REPO}@" in out


def test_a_narrative_is_redacted_by_the_one_place_that_chooses(triage, export, endpoint, monkeypatch):
    monkeypatch.setattr(dataset, "redact_text", lambda narrative: "Nothing is left of it.")
    told = json.loads(triage("dataset", "publish", export, "megabank/redacted", "--json")[1])
    path = located(f"{told['source']}:time/test", endpoint=endpoint)
    assert {row.narrative for row in load_labelled(path).rows} == {"Nothing is left of it."}


def test_a_dataset_is_private_unless_asked_otherwise(triage, export, endpoint):
    triage("dataset", "publish", export, "megabank/private")
    triage("dataset", "publish", export, "megabank/public", "--public")
    api = HfApi(endpoint=endpoint)
    assert api.dataset_info("megabank/private").private
    assert not api.dataset_info("megabank/public").private


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["hf://bank/data@main", REPO], 1, "is no commit sha of 40 digits"),
        (["missing.csv", REPO], 1, "cannot be read"),
        (["EXPORT", REPO, "--test-from", "2031-01-01"], 2, "cannot be split: the test part is empty"),
        (["EXPORT", REPO, "--test-from", "soon"], 2, "Invalid value"),
    ],
)
def test_what_cannot_be_published_is_refused_with_the_reason(triage, export, arguments, code, message):
    given = [export if argument == "EXPORT" else argument for argument in arguments]
    ended, _, err = triage("dataset", "publish", *given)
    assert (ended, message in err) == (code, True)
