from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.aws.submission import (
    OUTBOX_BYTES,
    Submission,
    _refusal,
    numbered,
    percentile_95,
    put_all,
    raw_item,
    wait_for,
)
from tests.factories import NOW, any_sha256
from training.data.complaint_files import ExportRow
from triage.complaint import MAX_ITEM_BYTES, RawComplaint
from triage.story import AllocationEntry


def any_row(**values) -> ExportRow:
    default = dict.fromkeys(field.name for field in fields(ExportRow)) | {
        "row": 1,
        "complaint_id": "8123456",
        "narrative": "They closed my account.",
        "unknown": {},
    }
    return ExportRow(**{**default, **values})


def any_allocation(complaint_id="8123456", **values) -> AllocationEntry:
    default = {
        "complaint_id": complaint_id,
        "code_version": "test",
        "product_team": "mortgage",
        "journey": "standard",
        "route": "auto",
        "reasons": (),
        "decisions": (),
        "stated": (),
        "taxonomy_version": any_sha256(),
        "started_at": "2026-03-02T09:29:59.000Z",
        "allocated_at": "2026-03-02T09:30:00.000Z",
        "milliseconds": 1000,
    }
    return AllocationEntry(**{**default, **values})


def allocated_after(milliseconds: int, complaint_id: str, **values) -> AllocationEntry:
    moment = NOW + timedelta(milliseconds=milliseconds)
    return any_allocation(complaint_id, allocated_at=moment.isoformat(), **values)


class FakeComplaints:
    """A table that keeps the first item under each id."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, object]] = {}

    def put_if_absent(self, item) -> bool:
        return self.items.setdefault(item["complaint_id"], item) is item

    def get(self, complaint_id, *, attributes):
        found = self.items.get(complaint_id)
        return found and {name: found[name] for name in attributes if name in found}


class FakeStory:
    """A table in which complaints have no allocation at first, and one after some reads."""

    def __init__(self, asked_before: dict[str, int]) -> None:
        self._asked_before = dict(asked_before)

    def latest(self, complaint_id, until):
        return None

    def get_many(self, keys):
        for complaint_id, _ in keys:
            self._asked_before[complaint_id] = self._asked_before.get(complaint_id, 10**9) - 1
            if self._asked_before[complaint_id] < 0:
                yield any_allocation(complaint_id).model_dump(mode="json")


class FakeDeployment:
    def __init__(self, asked_before: dict[str, int]) -> None:
        self.complaints = FakeComplaints()
        self.story = FakeStory(asked_before)


def any_deployment(**asked_before: int) -> Any:
    """asked_before: how many reads find no allocation of a complaint; others never have one."""
    return FakeDeployment(asked_before)


def put(*rows: ExportRow, deployment: Any = None) -> Submission:
    return put_all(deployment or any_deployment(), numbered(rows), on_put=lambda: None)


def test_an_item_is_what_the_bank_knows_when_a_complaint_arrives():
    item = raw_item(any_row(product="Mortgage", issue="Closing", sub_product="FHA", sub_issue="Delay", state="NY"))
    assert item == {"complaint_id": "8123456", "narrative": "They closed my account.", "state": "NY"}


def test_an_item_holds_no_attribute_that_the_table_does_not_know():
    full = {field.name: "any" for field in fields(ExportRow)} | {"row": 1, "tags": ("Servicemember",), "unknown": {}}
    item = raw_item(ExportRow(**{**full, "account_vulnerable": True}))  # type: ignore[arg-type]
    assert item.keys() == {name for name in RawComplaint.model_fields if not name.startswith(("triage_", "expires_"))}
    assert item["tags"] == ["Servicemember"]


def test_a_false_flag_is_stored():
    assert raw_item(any_row(account_vulnerable=False))["account_vulnerable"] is False


@pytest.mark.parametrize("tags", [None, ()])
def test_an_item_without_tags_has_no_tags_attribute(tags):
    assert "tags" not in raw_item(any_row(tags=tags))


@pytest.mark.parametrize("complaint_id", [None, ""])
def test_a_row_without_an_id_is_refused(complaint_id):
    (rejection,) = put(any_row(row=7, complaint_id=complaint_id)).rejections
    assert (rejection.row, rejection.reason) == (7, "it has no complaint_id")


def test_a_row_with_an_id_that_is_no_text_is_refused():
    assert _refusal({"complaint_id": 7}) == "it has no complaint_id"


def test_a_row_with_an_id_longer_than_a_key_may_be_is_refused():
    assert _refusal({"complaint_id": "é" * 1024}) is None
    assert _refusal({"complaint_id": "é" * 1024 + "x"}) == "its complaint_id is longer than 2,048 bytes"


def test_an_id_that_a_spreadsheet_has_changed_is_named_as_such():
    made = {
        "2.02611E+12": "a rounded number",
        "2,02611e+12": "a rounded number",
        "1E5": "a rounded number",
        "30000000.0": "a number with decimals",
        "03-Jan": "a date",
        "#####": "an error of a formula",
        "#N/A": "an error of a formula",
    }
    for complaint_id, what in made.items():
        assert f"is {what}" in (put(any_row(complaint_id=complaint_id)).rejections[0].reason), complaint_id
    for complaint_id in ("8123456", "1e5a", "2026-03-02-7", "ACME/7.5", "#7", "c-1", "demo-1130-175908-0023"):
        assert _refusal({"complaint_id": complaint_id}) is None, complaint_id


def test_a_row_larger_than_dynamodb_takes_is_refused():
    assert _refusal(raw_item(any_row(narrative="x" * (MAX_ITEM_BYTES - OUTBOX_BYTES - 200)))) is None
    assert _refusal(raw_item(any_row(narrative="x" * MAX_ITEM_BYTES))) == "it is larger than 400 KB"


def test_the_size_of_a_row_is_counted_in_bytes():
    assert _refusal(raw_item(any_row(narrative="é" * (MAX_ITEM_BYTES // 2)))) == "it is larger than 400 KB"


def test_quotes_in_a_row_do_not_count_twice():
    assert _refusal(raw_item(any_row(narrative='"' * (MAX_ITEM_BYTES // 2 + 1000)))) is None


def test_an_id_that_is_not_unicode_is_refused():
    assert put(any_row(complaint_id="\ud800")).rejections


def test_an_accepted_row_can_be_claimed():
    item = raw_item(any_row(narrative=""))
    fixed = len("complaint_id") + len(item["complaint_id"]) + len("narrative")
    full = item | {"narrative": "x" * (MAX_ITEM_BYTES - fixed - 30)}
    claim = {
        "triage_state": "started",
        "triage_started_at": "2026-03-02T09:30:00.000Z",
        "triage_execution": "8123456",
        "triage_attempts": "1",
        "expires_at": "1798700000",
    }
    size = sum(len(name) + len(str(value)) for name, value in {**full, **claim}.items())
    assert size <= MAX_ITEM_BYTES or _refusal(full) is not None


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text())), max_size=5))
def test_any_row_is_accepted_or_refused_with_a_reason(item):
    refusal = _refusal(item)
    assert refusal is None or refusal.startswith(("it ", "its "))


def test_an_existing_complaint_is_a_duplicate_and_stays_unchanged():
    deployment = any_deployment()
    first = put(any_row(narrative="first\r\nletter"), deployment=deployment)
    second = put(any_row(narrative="first  letter"), deployment=deployment)
    assert (first.totals().duplicates, second.totals().duplicates) == (0, 1)
    assert deployment.complaints.items["8123456"]["narrative"] == "first\r\nletter"
    assert second.ids == ["8123456"]


@pytest.mark.parametrize(
    ("stated", "differing"),
    [
        ({"narrative": "second"}, "narrative"),
        ({"tags": ("Servicemember",)}, "tags"),
        ({"account_vulnerable": True, "customer_id": "c-2"}, "customer_id, account_vulnerable"),
    ],
    ids=str,
)
def test_a_row_that_states_other_facts_under_the_same_id_is_a_conflict(stated, differing):
    deployment = any_deployment()
    put(any_row(customer_id="c-1"), deployment=deployment)
    second = put(any_row(row=2, **stated), deployment=deployment)
    (rejection,) = second.rejections
    assert (rejection.row, rejection.conflict) == (2, True)
    assert rejection.reason == f"another complaint has the id 8123456: it differs in {differing}"
    assert (second.totals().conflicts, second.totals().duplicates, second.ids) == (1, 0, [])


def test_what_a_row_does_not_state_is_no_conflict():
    deployment = any_deployment()
    put(any_row(customer_id="c-1", tags=("Servicemember", "Older American")), deployment=deployment)
    again = put(any_row(tags=("Older American", "Servicemember")), deployment=deployment)
    assert (again.totals().duplicates, again.totals().conflicts) == (1, 0)


def test_a_refused_row_does_not_stop_the_others():
    submission = put(any_row(complaint_id=None), any_row(complaint_id="1"), any_row(complaint_id="2"))
    assert submission.put_at.keys() == {"1", "2"}
    assert (submission.totals().submitted, submission.totals().rejected) == (3, 1)


def test_every_row_is_reported_as_it_is_put():
    put_so_far = []
    rows = [any_row(complaint_id=str(number)) for number in range(30)]
    put_all(any_deployment(), numbered(rows), on_put=lambda: put_so_far.append(1))
    assert len(put_so_far) == len(rows)


def test_every_row_is_new_a_duplicate_or_refused():
    submission = put(any_row(complaint_id="1"), any_row(complaint_id="1"), any_row(complaint_id="1"))
    totals = submission.totals()
    assert len(submission.put_at) + totals.duplicates + totals.rejected == totals.submitted


def test_a_submission_without_allocations_has_no_latency():
    totals = Submission(submitted=2, put_at={"1": 0.0, "2": 1.0}).totals()
    assert (totals.allocated, totals.p50_ms, totals.p95_ms, totals.seconds) == (0, None, None, 0.0)


def test_latency_runs_from_the_put_to_the_allocation():
    started = NOW.timestamp()
    milliseconds = {str(number): number * 100 for number in range(1, 22)}
    totals = Submission(
        submitted=21,
        put_at=dict.fromkeys(milliseconds, started),
        allocations={i: allocated_after(after, i) for i, after in milliseconds.items()},
    ).totals()
    assert (totals.allocated, totals.p50_ms, totals.p95_ms) == (21, 1100, 2000)
    assert totals.seconds == pytest.approx(2.1)


def test_duplicates_have_no_latency():
    submission = Submission(duplicates=["1"], allocations={"1": any_allocation("1")}, submitted=1)
    totals = submission.totals()
    assert (totals.allocated, totals.p50_ms, totals.seconds) == (1, None, 0.0)


def test_a_complaint_goes_to_people_unless_it_is_allocated_without_them():
    routes = {"1": "auto", "2": "review", "3": "manual"}
    allocations = {i: any_allocation(i, route=route) for i, route in routes.items()}
    allocations["4"] = any_allocation("4", journey="specialist")
    totals = Submission(allocations=allocations).totals()
    assert (totals.auto, totals.review, totals.specialist) == (2, 2, 1)


def test_the_percentile_of_one_value_is_that_value():
    assert percentile_95([7.0]) == 7.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=100))
def test_the_percentile_lies_among_the_values_and_above_most(values):
    found = percentile_95(values)
    assert min(values) <= found <= max(values) or found == pytest.approx(max(values))
    # It is interpolated: of few values, the largest may lie above.
    assert sum(value > found * (1 + 1e-9) for value in values) <= 1 + 0.05 * len(values)


def waited(deployment, *ids: str, timeout_seconds: float) -> tuple[Submission, set[str]]:
    submission = Submission(put_at=dict.fromkeys(ids, 0.0))
    late = wait_for(deployment, submission, timeout_seconds=timeout_seconds, on_allocated=lambda count: None)
    return submission, late


def test_waiting_ends_with_the_last_allocation():
    submission, late = waited(any_deployment(**{"1": 0, "2": 1}), "1", "2", timeout_seconds=60)
    assert submission.allocations.keys() == {"1", "2"}
    assert not late


def test_complaints_that_are_not_allocated_in_time_are_named():
    submission, late = waited(any_deployment(**{"1": 0}), "1", "2", timeout_seconds=0.1)
    assert submission.allocations.keys() == {"1"}
    assert late == {"2"}
