"""Every complaint, however malformed, gets one allocation and does not block the complaints behind it."""

import csv
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.system.machine import Machine

EMOJI = "😡💳🏦" * (300_000 // 12)
AWKWARD: dict[str, dict[str, Any]] = {
    "an empty narrative": {"narrative": ""},
    "only white space": {"narrative": " \n\t "},
    "a missing narrative": {"narrative": None},
    "a narrative that is a number": {"narrative": Decimal(7)},
    "a narrative that is a list": {"narrative": ["a", "b"]},
    "300 KB of emoji": {"narrative": EMOJI},
    "HTML": {"narrative": "<script>alert('x')</script><p>My <b>mortgage</b> &amp; fees &#128545;</p>"},
    "SQL": {"narrative": "'; DROP TABLE raw_complaints; -- my card was charged twice"},
    "control characters": {"narrative": "my\x00 card\x07 was\x1b[31m charged\u202e twice \ufeff"},
    "tags that are a number": {"tags": Decimal(3)},
    "a customer that is a map": {"customer_id": {"id": "7"}},
    "a flag that is text": {"account_vulnerable": "perhaps"},
    "no date": {"received_at": None},
    "attributes nobody knows": {"colour": "blue", "nested": {"deep": [1, {"er": True}]}},
}
UNREADABLE = {name for name in AWKWARD if "narrative" in name or "white space" in name}
VULNERABILITY_UNCLEAR = {"tags that are a number", "a flag that is text"}


def test_awkward_complaints_get_one_allocation_each_and_block_nothing(machine: Machine, any_item):
    items = {name: any_item(**changed) for name, changed in AWKWARD.items()}
    behind = any_item()
    allocations = machine.wait([*machine.put(*items.values()), *machine.put(behind)])
    for name, item in items.items():
        allocation = allocations[item["complaint_id"]]
        assert machine.current_allocations(item["complaint_id"]) == 1, name
        if name in UNREADABLE:
            assert (allocation.route, allocation.journey) == ("manual", "specialist"), name
            assert allocation.reasons[0].code.name.startswith("NARRATIVE_"), name
        else:
            assert allocation.product is not None, name
        if name in VULNERABILITY_UNCLEAR:
            assert allocation.journey == "specialist", name
    assert allocations[behind["complaint_id"]].product is not None


def test_what_was_cut_off_is_recorded(machine: Machine, any_item):
    item = any_item(narrative="my mortgage payment was lost " * 400)
    machine.allocate(item)
    predictions = machine.triage_json("show", item["complaint_id"])["predictions"]
    assert predictions
    assert all(prediction["tokens_total"] > prediction["tokens_seen"] > 0 for prediction in predictions)


def test_rows_that_cannot_be_put_are_kept_aside_and_can_be_submitted_again(machine: Machine, any_item, tmp_path):
    good, huge = any_item(), any_item(narrative="x" * 500_000)
    export = tmp_path / "export.csv"
    with export.open("w", newline="") as file:
        rows = [(item["complaint_id"], item["narrative"]) for item in (good, huge)]
        csv.writer(file).writerows([("complaint_id", "narrative"), *rows, ("", "no id at all")])
    rejects = tmp_path / "rejects.jsonl"
    submitted = machine.triage("submit", export, "--wait", "--rejects", rejects, "--json", check=False)
    totals = json.loads(submitted.stdout)
    assert submitted.returncode == 1
    assert (totals["submitted"], totals["allocated"], totals["rejected"]) == (3, 1, 2)
    mended = rejects.read_text().replace("x" * 500_000, "my mortgage payment was lost").splitlines()[0]
    rejects.write_text(mended + "\n")
    assert machine.triage_json("submit", rejects, "--wait", "--rejects", tmp_path / "none")["allocated"] == 1


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "complaint_id,narrative\n1,2,3\n"])
def test_an_export_that_is_none_is_refused_with_the_place(machine: Machine, tmp_path, content):
    export = tmp_path / "broken.csv"
    export.write_text(content)
    refused = machine.triage("submit", export, check=False)
    assert refused.returncode == 1
    assert "broken.csv" in refused.stderr
