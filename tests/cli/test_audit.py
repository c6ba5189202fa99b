"""`triage verify`, `hold` and `erase` on tables of moto, with the real functions in this process."""

import json

import pytest
from huggingface_hub import HfApi

from cli.aws.deployment import Deployment
from runtime.seal import build as sealing
from tests.factories import any_allocation, any_item, any_selection
from tests.hub import served
from tests.training.data.exports import any_export
from training.data.complaint_files import read_export
from training.data.dataset import load_labelled
from training.data.sources import located
from training.snapshot import PublicationError
from triage.audit.chain import Link
from triage.functions import SealEnvironment
from triage.outbox import ALLOCATED
from triage.story import ERASURE
from triage.tables import AUDIT_CHAIN

ID = "8123456"
ENV = ("--env", "dev")
UNDECIDED = {"product_team": "manual-triage", "route": "manual", "product": None, "issue": None, "vulnerable": None}
"""An allocation of a complaint to which no model answered."""


@pytest.fixture
def deployment(functions):
    """A deployment with one allocated complaint whose records are sealed."""
    functions.complaints.put(any_item(complaint_id=ID, triage_state=ALLOCATED))
    functions.story.put(any_selection(complaint_id=ID))
    functions.story.put(any_allocation(complaint_id=ID, **UNDECIDED))
    seal(functions, "SELECTION", "ALLOCATION")
    return functions


def seal(deployment: Deployment, *entries: str) -> None:
    told = SealEnvironment(
        code_version="test",
        metrics_namespace="ComplaintsTriage/test",
        complaints_allocation_table="complaints_allocation",
        audit_chain_table="audit_chain",
        anchors_bucket="anchors",
        retention_days=90,
        stale_after_seconds=90,
        sweep_every_seconds=60,
        sweep_slices=1,
        verify_slices=1,
    )
    there = {item["entry"] for item in deployment.story.query(ID)}
    records = [
        {
            "eventName": "INSERT" if entry in there else "REMOVE",
            "dynamodb": {"Keys": {"complaint_id": {"S": ID}, "entry": {"S": entry}}},
        }
        for entry in entries
    ]
    sealing(told, deployment.session)({"Records": records}, None)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty Hub on loopback, which every command uses."""
    with served(tmp_path / "hub") as endpoint:
        for command in ("erase", "dataset"):
            monkeypatch.setattr(f"cli.commands.{command}.hub_endpoint", lambda *_: endpoint)
        yield endpoint


@pytest.fixture
def triage(shell, monkeypatch):
    """Return a function that runs the command and returns exit code, output, and errors in one line."""
    monkeypatch.setattr(Deployment, "operator", "ann")

    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = shell(*arguments, *ENV)
        return code, out, " ".join(err.split())

    return run


@pytest.mark.parametrize("which", [ID, "--all"])
def test_unchanged_records_verify(triage, deployment, which):
    code, out, _ = triage("verify", which)
    assert code == 0 and "1 verified" in out
    assert json.loads(triage("verify", which, "--json")[1]) == {"verified": 1, "findings": []}


def test_a_changed_record_is_named_and_verify_fails(triage, deployment):
    deployment.story.put(any_allocation(complaint_id=ID, **UNDECIDED, code_version="other"))
    code, out, err = triage("verify", ID, "--wait", 0, "--json")
    assert code == 1 and "1 of 1 complaints do not verify" in err
    (one,) = json.loads(out)["findings"]
    assert (one["complaint_id"], one["entry"], one["problem"]) == (ID, "ALLOCATION", "changed")
    assert "changed" in triage("verify", "--all", "--wait", 0)[1]


def test_a_complaint_whose_records_were_all_removed_is_found_by_its_chain(triage, deployment):
    for entry in ("SELECTION", "ALLOCATION"):
        deployment.story.delete(ID, entry)
    _, out, _ = triage("verify", "--all", "--wait", 0, "--json")
    assert {one["problem"] for one in json.loads(out)["findings"]} == {"missing"}


def test_a_chain_that_was_written_anew_is_found_by_its_anchors(triage, deployment):
    """Whoever may write both tables can write a chain that verifies."""
    table, last = deployment.table(AUDIT_CHAIN), None
    for item in map(Link.model_validate, list(table.query(ID))):
        content = next(record for record in deployment.story.query(ID) if record["entry"] == item.entry)
        if item.entry == "ALLOCATION":
            content |= {"product_team": "student-loan"}
            deployment.story.put(content)
        stated = {"complaint_id": ID, "sealed_at": item.sealed_at, "code_version": "test"}
        last = Link.after(last, entry=item.entry, content=content, **stated)
        table.put(last)
    code, out, _ = triage("verify", ID, "--wait", "0")
    assert code == 1
    assert "unanchored" in out and "changed" not in out


def test_verify_waits_until_new_records_are_sealed(triage, deployment, monkeypatch):
    deployment.story.put({"complaint_id": ID, "entry": "READING#2026"})
    assert json.loads(triage("verify", ID, "--wait", 0, "--json")[1])["findings"][0]["problem"] == "unsealed"
    monkeypatch.setattr("cli.commands.verify.time.sleep", lambda seconds: seal(deployment, "READING#2026"))
    assert triage("verify", ID)[0] == 0


def test_verify_needs_either_complaints_or_all(triage, deployment):
    assert triage("verify")[0] == 2
    assert triage("verify", ID, "--all")[0] == 2
    code, _, err = triage("verify", "nobody")
    assert code == 3 and "nothing is stored about complaint 'nobody'" in err


def test_a_hold_is_placed_and_lifted(triage, deployment):
    code, out, _ = triage("hold", ID, "--reason", "litigation 7")
    assert code == 0 and f"{ID} is held since" in out
    code, _, err = triage("erase", ID, "--reason", "asked for")
    assert code == 1 and "by ann: litigation 7; lift the hold first" in err
    placed = json.loads(triage("hold", ID, "--reason", "again", "--json")[1])["hold"]
    assert (placed["placed_by"], placed["reason"]) == ("ann", "litigation 7")
    code, out, _ = triage("hold", ID, "--lift", "--reason", "settled")
    assert code == 0 and "not held any more" in out
    again = json.loads(triage("hold", ID, "--lift", "--reason", "another", "--json")[1])["hold"]
    assert again["lifted_reason"] == "settled", "lifted once, however often it is asked for"


def test_a_complaint_goes_from_every_dataset_that_was_published(triage, deployment, hub, tmp_path):
    export = any_export(tmp_path)
    assert triage("dataset", "publish", export, "megabank/complaints")[0] == 0
    erased = next(row.complaint_id for row in read_export(export))
    deployment.complaints.put(any_item(complaint_id=erased, triage_state=ALLOCATED))
    _, out, _ = triage("erase", erased, "--reason", "asked for", "--json")
    first, second = json.loads(out)["erasures"]
    assert (first["text"], first["snapshots"]) == (True, {})
    assert (second["text"], second["snapshots"]) == (False, {"megabank/complaints": 1})
    sha = HfApi(endpoint=hub).dataset_info("megabank/complaints").sha
    left = load_labelled(located(f"hf://megabank/complaints@{sha}:grouped", endpoint=hub))
    assert len(left.rows) == 119 and erased not in {row.complaint_id for row in left.rows}
    assert "nothing of" in triage("erase", erased, "--reason", "again")[1]


def test_an_erasure_that_the_hub_refuses_says_what_is_erased(triage, deployment, monkeypatch):
    monkeypatch.setattr("cli.commands.erase.hub_endpoint", lambda *_: "http://127.0.0.1:9")
    code, _, err = triage("erase", ID, "--reason", "asked for")
    assert code == 1 and f"{ID} is erased from the tables and not from every dataset" in err
    assert deployment.complaints.get(ID) is None


def test_a_held_complaint_is_not_removed_from_datasets(triage, deployment, monkeypatch):
    monkeypatch.setattr("cli.commands.erase._prune", lambda *_: pytest.fail("it was pruned"))
    triage("hold", ID, "--reason", "litigation 7")
    assert triage("erase", ID, "--reason", "asked for")[0] == 1


def test_what_is_removed_from_a_dataset_is_recorded_before_it_is(triage, deployment, monkeypatch):
    """An interruption between the removal and the record would lose the record for ever."""

    def interrupted(dataset, *, before_removal, **_):
        before_removal(2)
        raise PublicationError("the Hub does not answer")

    monkeypatch.setattr("cli.commands.erase.hub_endpoint", lambda *_: None)
    monkeypatch.setattr("training.snapshot.published", lambda endpoint, **_: ["acme/complaints"])
    monkeypatch.setattr("training.snapshot.prune", interrupted)
    code, _, err = triage("erase", ID, "--reason", "asked for")
    assert code == 1 and "not from every dataset" in err
    erasures = [item for item in deployment.story.query(ID) if item["entry"].startswith(ERASURE)]
    assert sorted(bool(erasure["snapshots"]) for erasure in erasures) == [False, True]
    assert {"acme/complaints": 2} in [erasure["snapshots"] for erasure in erasures]


def test_an_erasure_is_reported_and_the_rest_still_verifies(triage, deployment, hub):
    deployment.story.put({"complaint_id": ID, "entry": "EXPLANATION#product#x"})
    seal(deployment, "EXPLANATION#product#x")
    code, out, _ = triage("erase", ID, "--reason", "asked for")
    assert code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert ["raw_complaints", "the complaint, with its narrative", "1"] in rows
    assert ["complaints_allocation", "explanations", "1"] in rows
    assert len(rows) == 2
    assert deployment.complaints.get(ID) is None
    seal(deployment, *(item["entry"] for item in deployment.story.query(ID)), "EXPLANATION#product#x")
    assert [link["change"] for link in deployment.table(AUDIT_CHAIN).query(ID)].count("removed") == 1
    assert triage("verify", ID)[0] == 0
    assert "nothing of" in triage("erase", ID, "--reason", "again")[1]


@pytest.mark.parametrize("command", ["hold", "erase"])
def test_hold_and_erase_need_a_reason(triage, deployment, command):
    assert triage(command, ID)[0] == 2
    code, _, err = triage(command, ID, "--reason", "")
    assert code == 2 and "reason" in err
