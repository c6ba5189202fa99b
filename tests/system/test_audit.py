"""Records are sealed, tampered records are found, and erased text is found nowhere."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.system.alarms import SECONDS, logged, quiet
from tests.system.machine import Machine, until
from tests.system.test_privacy import everything_written
from triage.story import ALLOCATION, EXPLANATION, PREDICTION, SELECTION
from triage.tables import AUDIT_CHAIN, TABLES

MARKER = "xylograph"


def verified(machine: Machine, *ids: str) -> dict[str, set[str]]:
    """Return the problems of each entry."""
    done = machine.triage("verify", *ids, "--json", check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (1 if told["findings"] else 0)
    problems: dict[str, set[str]] = {}
    for one in told["findings"]:
        problems.setdefault(one["entry"], set()).add(one["problem"])
    return problems


def test_every_record_is_sealed_and_verifies(machine: Machine, any_item):
    allocations = machine.allocate(any_item(), any_item(), any_item())
    ids = [allocation.complaint_id for allocation in allocations]
    machine.triage("feedback", ids[0], "set_vulnerable")
    machine.triage("explain", ids[0])
    machine.triage("replay", ids[0], "--purpose", "a test")
    assert verified(machine, *ids) == {}
    chain = machine.deployment.table(AUDIT_CHAIN)
    sealed = {str(link["entry"]) for link in chain.query(ids[0])}
    assert sealed == {str(item["entry"]) for item in machine.deployment.story.query(ids[0])}
    assert "every record is what was sealed" in machine.triage("verify", "--all").stdout


def test_what_the_stream_lost_is_searched_for_by_the_rights_of_the_function(machine: Machine, any_item):
    machine.allocate(any_item())
    machine.invoke("AuditSeal", {})


def test_a_record_that_is_changed_taken_away_or_slipped_in_is_found(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    complaint_id = allocation.complaint_id
    assert verified(machine, complaint_id) == {}
    story = machine.deployment.story
    predictions = [e for e in map(dict, story.query(complaint_id)) if str(e["entry"]).startswith(PREDICTION)]
    changed, removed = predictions[0], predictions[1]
    story.put({**changed, "label": "Student loan"})
    story.delete(complaint_id, str(removed["entry"]))
    chain = machine.deployment.table(AUDIT_CHAIN)
    link = next(link for link in chain.query(complaint_id) if link["entry"] == SELECTION)
    chain.put({**link, "sealed_at": "2020-01-01T00:00:00.000Z"})
    found = verified(machine, complaint_id)
    # The allocation still repeats what the predictions said before.
    assert found.keys() == {changed["entry"], removed["entry"], SELECTION, ALLOCATION}
    assert found[str(changed["entry"])] & {"changed", "rewritten"}
    assert found[str(removed["entry"])] & {"missing", "removed"}
    assert "broken" in found[SELECTION]


def test_what_is_erased_is_found_nowhere_and_the_facts_still_verify(machine: Machine, any_item):
    text = f"My {MARKER} credit card was charged twice and nobody answers me. I want the {MARKER} fee back."
    (allocation,) = machine.allocate(any_item(narrative=text))
    complaint_id = allocation.complaint_id
    machine.triage("explain", complaint_id)
    # On disk, too, before it is erased: or the search would prove nothing.
    machine.triage("down")
    assert files_with(machine.state, MARKER)
    machine.triage("up")

    (report,) = machine.triage_json("erase", complaint_id, "--reason", "asked for by the customer")["erasures"]
    assert report["text"] is True
    assert [entry.split("#")[0] + "#" for entry in report["entries"]] == [EXPLANATION]
    assert verified(machine, complaint_id) == {}
    entries = {str(item["entry"]) for item in machine.deployment.story.query(complaint_id)}
    assert {SELECTION, ALLOCATION} <= entries and not [e for e in entries if e.startswith(EXPLANATION)]
    assert machine.current_allocations(complaint_id) == 1
    for spec in TABLES:
        assert MARKER not in json.dumps(list(machine.deployment.table(spec).scan()), default=str), spec.name
    for place, content in everything_written(machine, [complaint_id]):
        assert MARKER not in content, place
    machine.triage("down")
    assert files_with(machine.state, MARKER) == []
    machine.triage("up")
    assert "nothing of" in machine.triage("erase", complaint_id, "--reason", "again").stdout
    refused = machine.triage("replay", complaint_id, check=False)
    assert refused.returncode == 3 and "not in raw_complaints" in refused.stderr


def files_with(folder: Path, word: str) -> list[Path]:
    """Search the state on disk: tables, streams, buckets, logs, the Hub and everything else."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return [file for file in files if word.encode() in file.read_bytes()]


def test_what_is_held_neither_expires_nor_is_erased(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    complaint_id = allocation.complaint_id
    assert verified(machine, complaint_id) == {}
    machine.triage("hold", complaint_id, "--reason", "litigation 7")
    assert verified(machine, complaint_id) == {}
    # The link that seals the hold itself is written after it.
    assert expiring(machine, complaint_id) <= 1
    machine.triage("feedback", complaint_id, "confirm")
    assert verified(machine, complaint_id) == {}
    assert expiring(machine, complaint_id) > 1
    machine.aws.client("lambda").invoke(FunctionName=machine.deployment.name("keep-held-function"))
    assert verified(machine, complaint_id) == {}
    assert expiring(machine, complaint_id) == 0
    refused = machine.triage("erase", complaint_id, "--reason", "asked for", check=False)
    assert refused.returncode == 1 and "litigation 7" in refused.stderr
    machine.triage("hold", complaint_id, "--lift", "--reason", "settled")
    assert expiring(machine, complaint_id) > 5
    assert verified(machine, complaint_id) == {}
    machine.triage("erase", complaint_id, "--reason", "asked for")
    assert verified(machine, complaint_id) == {}


def expiring(machine: Machine, complaint_id: str) -> int:
    raw = machine.deployment.complaints.get(complaint_id)
    records = [
        *([raw] if raw else []),
        *machine.deployment.story.query(complaint_id),
        *machine.deployment.table(AUDIT_CHAIN).query(complaint_id),
    ]
    return sum("expires_at" in record for record in records)


@pytest.mark.parametrize("function", ["erase-function", "hold-function", "read-narrative-function"])
@pytest.mark.parametrize("role", ["product-team-role", "explainer-role"])
def test_whoever_has_not_the_role_is_refused(machine: Machine, function, role):
    session = machine.as_role(machine.deployment.name(role))
    with pytest.raises(ClientError) as refused:
        session.client("lambda").invoke(FunctionName=machine.deployment.name(function))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    lines = "".join(file.read_text(errors="replace") for file in (machine.state / "logs").glob("*.log"))
    asked = machine.deployment.name(role).rpartition("/")[2]
    assert any("refused: " in line and asked in line and "lambda:InvokeFunction" in line for line in lines.splitlines())


@pytest.mark.parametrize(
    ("role", "function"),
    [("auditor-role", "erase-function"), ("privacy-officer-role", "read-narrative-function")],
)
def test_a_role_may_do_its_own_and_no_others(machine: Machine, role, function):
    session = machine.as_role(machine.deployment.name(role))
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("lambda").invoke(FunctionName=machine.deployment.name(function))
    for table in ("raw-complaints-table", "complaints-allocation-table", "audit-chain-table"):
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("dynamodb").scan(TableName=machine.deployment.name(table))


def test_a_record_that_was_rewritten_by_hand_is_announced_and_what_people_change_is_not(
    machine: Machine, any_item, announced
):
    with quiet(machine, "RecordAltered"):
        changed, tampered = (one.complaint_id for one in machine.allocate(any_item(), any_item()))
        assert verified(machine, changed, tampered) == {}
        machine.triage("feedback", changed, "set_vulnerable")
        machine.triage("erase", changed, "--reason", "asked for by the customer")
        assert verified(machine, changed) == {}
        story = machine.deployment.story
        prediction = next(e for e in map(dict, story.query(tampered)) if str(e["entry"]).startswith(PREDICTION))
        story.put({**prediction, "label": "Student loan"})
        assert until(lambda: bool(announced("RecordAltered")), seconds=SECONDS)
    assert len(announced("RecordAltered")) == 1
    assert verified(machine, tampered).keys() == {prediction["entry"], ALLOCATION}
    said = [json.loads(line) for line in logged(machine, "AuditSeal") if "altered record" in line]
    assert {(one["complaint_id"], one["entry"]) for one in said if one["complaint_id"] in (changed, tampered)} == {
        (tampered, prediction["entry"])
    }
