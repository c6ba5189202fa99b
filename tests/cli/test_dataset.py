"""`triage dataset` with a Hub on loopback, such as the embedded AWS starts."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from cli.commands import dataset
from local.state import Instance, Ports, Process
from tests.hub import served
from tests.training.data.exports import any_export
from training.data.dataset import load_labelled
from training.data.sources import located

REPO = "megabank/complaints"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with served(tmp_path_factory.mktemp("hub")) as address:
        yield address


@pytest.fixture
def triage(shell, endpoint, monkeypatch, tmp_path):
    """Return a function that runs the command with the Hub of the tests."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home/hub"))
    port = int(endpoint.rpartition(":")[2])
    instance = Instance(state=tmp_path, ports=Ports(hub=port), supervisor=Process(pid=1, started=0.0))
    monkeypatch.setattr("cli.aws.deployment.running_instance", lambda state: instance)
    monkeypatch.setattr("cli.commands.dataset._held", lambda env, state: frozenset())

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


def test_narratives_are_redacted_by_the_redactor_of_the_domain(triage, export, endpoint, monkeypatch):
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
        (["hf://bank/data@main", REPO], 1, "is not the 40-digit sha of a commit"),
        (["missing.csv", REPO], 2, "does not exist"),
        (["EXPORT", REPO, "--test-from", "2031-01-01"], 2, "cannot be split: the test part is empty"),
        (["EXPORT", REPO, "--test-from", "soon"], 2, "Invalid value"),
    ],
)
def test_an_export_that_cannot_be_published_is_refused_with_the_reason(triage, export, arguments, code, message):
    given = [export if argument == "EXPORT" else argument for argument in arguments]
    ended, _, err = triage("dataset", "publish", *given)
    assert (ended, message in err) == (code, True)


def complaints(endpoint, dataset_id):
    """Return the id and day of receipt of each complaint in `main`."""
    sha = HfApi(endpoint=endpoint).dataset_info(dataset_id).sha
    path = located(f"hf://{dataset_id}@{sha}:grouped", endpoint=endpoint)
    return {row.complaint_id: row.received for row in load_labelled(path).rows}


def test_complaints_are_removed_by_id(triage, export, endpoint):
    triage("dataset", "publish", export, "megabank/by-id")
    before = complaints(endpoint, "megabank/by-id")
    first, second, *_ = before
    arguments = ("dataset", "prune", "megabank/by-id", "--complaint", first, "--complaint", second)
    code, out, _ = triage(*arguments, "--json")
    told = json.loads(out)
    assert (code, told["dataset"], told["rows"]) == (0, "megabank/by-id", 2)
    assert told["revision"] == HfApi(endpoint=endpoint).dataset_info("megabank/by-id").sha
    assert complaints(endpoint, "megabank/by-id").keys() == before.keys() - {first, second}
    code, out, _ = triage(*arguments)
    assert (code, "Nothing to remove" in out) == (0, True)


def test_a_complaint_under_a_legal_hold_stays_and_is_named(triage, export, endpoint, monkeypatch):
    triage("dataset", "publish", export, "megabank/held")
    before = complaints(endpoint, "megabank/held")
    first, second, *_ = before
    monkeypatch.setattr("cli.commands.dataset._held", lambda env, state: frozenset({first, "unknown"}))
    arguments = ("dataset", "prune", "megabank/held", "--complaint", first, "--complaint", second)
    code, out, err = triage(*arguments, "--json")
    told = json.loads(out)
    assert (code, told["rows"], told["held"]) == (0, 1, [first])
    assert f"1 complaints stay in megabank/held, because a legal hold keeps them: {first}" in err
    assert complaints(endpoint, "megabank/held").keys() == before.keys() - {second}


def test_complaints_older_than_the_limit_are_removed_and_others_stay(triage, export, endpoint):
    triage("dataset", "publish", export, "megabank/by-age")
    before = complaints(endpoint, "megabank/by-age")
    first_kept = sorted(before.values())[40]
    days = (datetime.now(UTC).date() - first_kept).days
    code, out, _ = triage("dataset", "prune", "megabank/by-age", "--older-than", days)
    assert (code, "Complaints removed: 40" in out) == (0, True)
    assert complaints(endpoint, "megabank/by-age") == {
        complaint: day for complaint, day in before.items() if day >= first_kept
    }


class Keeping:
    """A deployment that keeps complaints for some days and knows nothing else."""

    def __init__(self, days):
        self.days = days

    def name(self, parameter):
        assert parameter == "retention-days"
        return str(self.days)


def test_expiry_prunes_every_dataset_that_it_can_and_names_those_that_it_cannot(triage, export, endpoint, monkeypatch):
    triage("dataset", "publish", export, "megabank/expiring")
    before = complaints(endpoint, "megabank/expiring")
    oldest, *_, first_kept = sorted(before.values())[:41]
    (kept, *_) = (complaint for complaint, day in before.items() if day == oldest)
    days = (datetime.now(UTC).date() - first_kept).days
    monkeypatch.setattr("cli.commands.dataset.find", lambda env, state: Keeping(days))
    monkeypatch.setattr("cli.commands.dataset._held", lambda env, state: frozenset({kept}))
    names = ["megabank/nowhere", "megabank/expiring"]
    monkeypatch.setattr("training.snapshot.published", lambda endpoint, token: names)
    code, out, err = triage("dataset", "expire", "--json")
    (told,) = json.loads(out)
    assert (code, told["dataset"], told["rows"], told["held"]) == (1, "megabank/expiring", 39, [kept])
    assert "1 of 2 datasets could not be pruned" in err and "the Hub refused megabank/nowhere" in err
    assert complaints(endpoint, "megabank/expiring") == {
        complaint: day for complaint, day in before.items() if day >= first_kept or complaint == kept
    }
    names.remove("megabank/nowhere")
    code, out, _ = triage("dataset", "expire")
    assert (code, f"Complaints older than {days} days" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([REPO], 2, "Say what to remove"),
        ([REPO, "--older-than", "-1"], 2, "Invalid value"),
        (["megabank/nowhere", "--complaint", "1"], 1, "the Hub refused megabank/nowhere"),
        (["megabank/foreign", "--complaint", "1"], 1, "megabank/foreign is not a snapshot"),
    ],
)
def test_a_dataset_that_cannot_be_pruned_is_refused_with_the_reason(triage, endpoint, arguments, code, message):
    HfApi(endpoint=endpoint).create_repo("megabank/foreign", repo_type="dataset", exist_ok=True)
    ended, _, err = triage("dataset", "prune", *arguments)
    assert (ended, message in err) == (code, True)


def test_datasets_are_listed_with_their_revision_and_rows(triage, export):
    published = json.loads(triage("dataset", "publish", export, "megabank/listed", "--json")[1])
    code, out, _ = triage("dataset", "list", "--json")
    (told,) = (dataset for dataset in json.loads(out) if dataset["dataset"] == "megabank/listed")
    assert code == 0
    assert (told["revision"], told["rows"]) == (published["revision"], published["rows"])
    _, out, _ = triage("dataset", "list")
    assert published["revision"] in out and "grouped 120" in out


def test_a_hub_without_datasets_lists_none(triage, monkeypatch, tmp_path):
    with served(tmp_path / "empty") as address:
        ports = Ports(hub=int(address.rpartition(":")[2]))
        instance = Instance(state=tmp_path, ports=ports, supervisor=Process(pid=1, started=0.0))
        monkeypatch.setattr("cli.aws.deployment.running_instance", lambda state: instance)
        assert "No dataset was published" in triage("dataset", "list")[1]
        assert json.loads(triage("dataset", "list", "--json")[1]) == []
