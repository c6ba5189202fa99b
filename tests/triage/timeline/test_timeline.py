"""A complaint's records as moments in the order of time."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from boto3.dynamodb.types import Binary
from hypothesis import given
from hypothesis import strategies as st

from cli.pages.story_words import facts
from tests.factories import any_allocation, any_feedback, any_item, any_prediction, any_selection
from tests.stories import (
    CHALLENGER,
    CHAMPION,
    ID,
    SHADOW,
    any_erasure,
    any_explained,
    any_hold,
    chained,
    items,
    lifted,
    outbox,
    whole_inbox,
    whole_story,
)
from triage.feedback import FeedbackRow
from triage.stored_story import KINDS, kind_of
from triage.story import ALLOCATION, EXPLANATION, SELECTION
from triage.timeline.records import OUTBOX, Records, instant, plain, printable
from triage.timeline.timeline import LEFT_OUT_EVERYWHERE, MOMENTS, moments

STORY, INBOX = items(whole_story()), whole_inbox()


def told(story=STORY, inbox=(), links=(), raw=None):
    return moments(Records.read(ID, raw=raw, story=story, inbox=inbox), links)


def of(kind, *args, **values):
    return [moment for moment in told(*args, **values) if moment.kind == kind]


def test_moments_are_in_the_order_of_time():
    assert [moment.kind for moment in told(inbox=INBOX)] == [
        "received",
        "models_selected",
        "model_failed",
        "predicted",
        "predicted",
        "model_failed",
        "allocated",
        "announced",
        "predicted",
        "feedback_applied",
        "decided_again",
        "announced",
        "feedback_taken",
        "feedback_refused",
        "feedback_waiting",
        "explained",
        "explanation_delivered",
        "narrative_read",
        "hold_placed",
        "hold_lifted",
        "feedback_refused",
    ]


def after_erasure():
    """Return the story without the erased records, and its chain."""
    gone = [item["entry"] for item in STORY if item["entry"].startswith(EXPLANATION)]
    erasure = items([any_erasure(entries=gone, snapshots={"complaints": 2})])
    return [i for i in STORY if i["entry"] not in gone] + erasure, chained([*STORY, *erasure], removed=gone)


ERASED, CHAIN = after_erasure()


@given(st.permutations(ERASED), st.permutations(INBOX), st.permutations(CHAIN))
def test_moments_do_not_depend_on_the_order_of_the_records(story, inbox, links):
    records = Records.read(ID, raw=None, story=story, inbox=inbox)
    assert records == Records.read(ID, raw=None, story=ERASED, inbox=INBOX)
    found = moments(records, links)
    assert found == told(ERASED, INBOX, CHAIN)
    times = [instant(moment.at) or datetime.max.replace(tzinfo=UTC) for moment in found]
    assert times == sorted(times)


TIMES = st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.dates().map(str) | st.text() | st.none()


@given(st.lists(TIMES, min_size=2, max_size=5))
def test_moments_are_sorted_even_if_rows_state_invalid_times(stated):
    inbox = [{**INBOX[0], "entry": f"f-{number}", "at": at} for number, at in enumerate(stated)]
    found = [instant(moment.at) for moment in told([], inbox)]
    known = [at for at in found if at is not None]
    assert known == sorted(known)
    assert found[len(known) :] == [None] * (len(found) - len(known))


def test_every_moment_names_its_record():
    not_applied = (row["entry"] for row in INBOX if row.get("outcome") != "applied")
    entries = {item["entry"] for item in STORY} | {f"FEEDBACK#{ID} {feedback_id}" for feedback_id in not_applied}
    assert {moment.entry for moment in told(inbox=INBOX)} == entries


def test_a_prediction_shows_everything_needed_to_repeat_it():
    champion, _, shadow = of("predicted")
    assert champion.model_version == CHAMPION.version
    assert (champion.arm, champion.bucket, champion.strategy_version) == ("champion", 4711, 3)
    assert (champion.temperature, champion.taxonomy_version, champion.code_version) == (1.37, "2", "test")
    assert champion.manifest_sha256 == CHAMPION.manifest_sha256
    assert champion.weights_sha256 == any_prediction().weights_sha256
    assert facts(champion)["thresholds"] == "without a person from 0.8"
    assert (shadow.shadow, shadow.detail) == (True, "product: Credit card 0.600, arm next (shadow)")


def test_the_selection_shows_arms_stand_ins_and_shadows():
    (selected,) = of("models_selected")
    assert selected.detail == "models were selected for: product, issue, vulnerable; shadow models: 1"
    assert (
        f"(arm challenger, bucket 4711, strategy version 3, stand-in {CHAMPION.version})" in facts(selected)["models"]
    )
    assert "(the only active model of its task)" in facts(selected)["models"]
    assert SHADOW.version in facts(selected)["shadows"]
    assert facts(selected)["missing shadows"] == "product/gone"
    assert facts(selected)["stated vulnerable"] == "said (health)"


def test_a_failure_names_the_model_that_was_asked_instead():
    stood_in, _ = of("model_failed")
    assert stood_in.detail == f"product: ModelFailedError, arm challenger; {CHAMPION.version} was asked instead"
    assert stood_in.model_version == CHALLENGER.version


def test_each_version_of_the_allocation_is_shown_with_its_event_and_its_author():
    (first,), (second,) = of("allocated"), of("decided_again")
    assert (first.version, first.by, first.superseded_at) == (1, None, second.at)
    assert (second.version, second.by, second.feedback_id, second.entry) == (2, "ann", "f-1", ALLOCATION)
    assert [(event.event.version, event.event.product_team) for event in of("announced")] == [
        (1, "mortgage"),
        (2, "credit-card"),
    ]
    assert facts(first)["vulnerable"] == "yes"
    assert facts(first)["decisions"].startswith("product Mortgage 0.900 against 0.8 by acme/champion@")


def test_an_author_whose_feedback_is_missing_is_shown_as_a_person():
    made = any_allocation(version=2, decided_by="person", feedback_id="f-9")
    (moment,) = of("decided_again", items([made]))
    assert moment.by == "a person"


def test_feedback_is_shown_as_applied_refused_or_waiting():
    (applied,) = of("feedback_applied", inbox=INBOX)
    assert applied.detail == "reallocate Credit card (analyst, assisted, stratum none); made version 2"
    assert (applied.by, facts(applied)["labels"]) == ("ann", "product Credit card")
    refused, malformed = of("feedback_refused", inbox=INBOX)
    assert refused.detail == "refused f-2: it is about version 1; look again"
    assert refused.said == "confirm (analyst, assisted, stratum none)"
    (waiting,) = of("feedback_waiting", inbox=INBOX)
    assert (waiting.feedback_id, waiting.by) == ("f-4", "ann")
    assert (malformed.said, malformed.by, malformed.at) == (None, None, None)


def test_a_confirmation_names_the_tasks_that_it_confirms():
    feedback = any_feedback(kind="confirm", tasks=("product",))
    row = FeedbackRow.of(feedback).model_dump(mode="json", exclude_none=True)
    (moment,) = of("feedback_waiting", [], [row])
    assert moment.said == "confirm product (analyst, assisted, stratum none)"


def test_malformed_feedback_shows_neither_its_values_nor_control_characters():
    row = {**INBOX[1], "entry": "\x1b[2Jf", "by": "a secret", "reason": "malformed"}
    (moment,) = of("feedback_refused", [], [row])
    assert "\x1b" not in moment.model_dump_json() and "\\u001b" not in moment.model_dump_json()
    assert "secret" not in moment.model_dump_json()


def test_an_explanation_is_shown_with_its_request_and_its_checks():
    (passed,) = of("explained")
    assert (passed.by, passed.purpose, passed.lawful_basis) == ("ann", "request of a regulator", "legal obligation")
    assert (passed.rationale, passed.passed) == ("It speaks for itself.", True)
    explained = any_explained().explained
    failing = explained.checks.model_copy(update={"failures": ("it does not add up",)})
    entry = any_explained().model_copy(update={"explained": explained.model_copy(update={"checks": failing})})
    (failed,) = of("explained", items([entry]))
    assert (failed.passed, facts(failed)["failures"]) == (False, "it does not add up")
    assert "checks FAILED" in failed.detail


def test_a_lifted_hold_makes_two_moments():
    records = Records.read(ID, raw=None, story=items([lifted(any_hold())]), inbox=())
    assert [hold.held for hold in records.holds] == [None]
    assert [(m.kind, m.by, m.detail) for m in moments(records)] == [
        ("hold_placed", "eve", "case 7 of the ombudsman"),
        ("hold_lifted", "eve", "case 7 is closed"),
    ]


def test_a_hold_in_force_makes_one_moment():
    assert [moment.kind for moment in told(items([any_hold()]))] == ["hold_placed"]


def test_an_erasure_is_shown_with_its_author_and_reason_and_changes_no_other_moment():
    before, after = told(), told(ERASED, links=CHAIN)
    kept = [moment for moment in before if moment.kind not in ("explained", "explanation_delivered")]
    assert [moment for moment in after if moment in before] == kept
    (erased,) = of("erased", ERASED)
    assert (erased.by, erased.text) == ("dan", True)
    assert erased.detail == "the narrative, 1 explanation, 2 rows of datasets: request of the customer"
    (delivered,) = of("explanation_delivered", ERASED)
    assert delivered.detail.endswith("which has been removed since")


def test_an_erasure_that_changed_only_earlier_commits_of_a_dataset_names_the_dataset():
    (erased,) = of("erased", items([any_erasure(text=False, snapshots={"complaints": 0})]))
    assert erased.detail == "0 rows of datasets: request of the customer"


def test_a_removed_record_is_shown_from_the_chain_with_its_hash():
    (gone,) = of("record_gone", ERASED, links=CHAIN)
    (written, removed) = [link for link in CHAIN if link.entry == gone.entry]
    assert (gone.at, gone.gone_at) == (written.sealed_at, removed.sealed_at)
    assert gone.content_sha256 == written.content_sha256


def test_a_record_that_disappeared_without_a_removal_is_shown_as_missing():
    (gone,) = of("record_gone", STORY[1:], links=chained(STORY))
    assert (gone.entry, gone.gone_at) == (SELECTION, None)
    assert "missing" in gone.detail


def test_the_story_does_not_change_when_the_complaint_is_removed():
    assert told(raw=None) == told(raw=outbox())


def test_before_selection_the_complaint_itself_states_when_it_came_in():
    (received,) = told([], raw=outbox())
    assert (received.at, received.entry) == ("2026-03-02", None)


@pytest.mark.parametrize("stated", ["They closed my account.", 20260302, None])
def test_an_invalid_time_is_not_shown(stated):
    assert Records.read(ID, raw={"complaint_id": ID, "received_at": stated}, story=(), inbox=()).received_at is None


def test_the_text_of_a_complaint_is_not_among_its_records():
    assert not {"narrative", "customer_id"} & set(OUTBOX)
    raw = {**any_item(), **outbox()}
    assert any_item()["narrative"] not in Records.read(ID, raw=raw, story=(), inbox=()).model_dump_json()


def test_an_unreadable_record_is_shown_as_such_and_hides_no_other_record():
    changed = {**items([any_selection()])[0], "models": "a secret"}
    unknown = {"complaint_id": ID, "entry": "SURPRISE", "what": "a secret"}
    found = told([changed, unknown, *items([any_allocation()])])
    assert [m.entry for m in found] == [ALLOCATION, ALLOCATION, SELECTION, "SURPRISE"]
    assert [m.detail for m in found[2:]] == [
        "SELECTION: models: must be a list",
        "SURPRISE: is no known record",
    ]
    assert "secret" not in json.dumps([moment.model_dump(mode="json") for moment in found])


@pytest.mark.parametrize(
    ("held", "json_value"),
    [
        (Decimal("1.50"), 1.5),
        (Decimal(3), 3),
        ({"b", "a"}, ["a", "b"]),
        ({"a": [Decimal(1), None, True]}, {"a": [1, None, True]}),
        (Binary(b"1"), "Binary(b'1')"),
    ],
    ids=repr,
)
def test_any_value_of_a_table_is_shown_as_json(held, json_value):
    assert json.dumps(plain(held)) == json.dumps(json_value)


@given(st.text())
def test_printable_text_is_not_changed(text):
    assert printable(text).isprintable()
    assert not text.isprintable() or printable(text) == text


def test_facts_leave_out_unknown_values():
    champion, vulnerable, _ = of("predicted")
    assert facts(champion).keys() - facts(vulnerable).keys() == {"bucket", "strategy version", "taxonomy version"}


RECORDS = list(KINDS.values())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_of_a_record_is_shown_or_left_out_for_a_reason(record):
    (moment,) = (moment for moment in MOMENTS if record in moment.LEFT_OUT)
    left_out = moment.LEFT_OUT[record]
    assert left_out.keys() <= record.model_fields.keys(), "a reason is about a field that does not exist"
    assert all(left_out.values())
    assert record.model_fields.keys() - left_out.keys() <= moment.model_fields.keys()


@pytest.mark.parametrize("item", STORY, ids=lambda item: item["entry"])
def test_a_moment_shows_what_its_record_says(item):
    record = kind_of(item["entry"])
    assert record is not None
    (moment,) = (moment for moment in MOMENTS if record in moment.LEFT_OUT)
    shown = [found for found in told() if isinstance(found, moment) and found.entry == item["entry"]]
    assert shown
    fields = set(record.model_fields) - moment.LEFT_OUT[record].keys()
    of_record = record.model_validate(item).model_dump(mode="json", include=fields)
    assert of_record.keys() == fields
    assert shown[0].model_dump(mode="json", include=fields) == of_record


def test_every_record_has_the_fields_that_are_left_out_everywhere():
    assert all(LEFT_OUT_EVERYWHERE.keys() <= record.model_fields.keys() for record in RECORDS)


def test_a_field_that_is_added_to_a_record_is_in_the_timeline_and_in_the_schema(tmp_path):
    """As CONTRIBUTING says: the entry changes, and the schema is printed again."""
    root = Path(__file__).parents[3]
    for package in ("triage", "cli/pages"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    story = tmp_path / "triage" / "story.py"
    before = "    temperature: float\n"
    assert story.read_text().count(before) == 1
    story.write_text(story.read_text().replace(before, before + '    processor: str = "not recorded"\n'))
    (tmp_path / "item.json").write_text(any_prediction().model_dump_json())
    program = """
import json
from cli.pages.story_words import facts
from triage.timeline.account import Account, schema
from triage.timeline.records import Records
item = json.load(open("item.json"))
records = Records.read(item["complaint_id"], raw=None, story=[item | {"processor": "arm64"}], inbox=())
account = Account.of(records)
(moment,) = account.moments
(document,) = account.document()["moments"]
properties = json.loads(schema())["$defs"]["Predicted"]["properties"]
print(json.dumps([facts(moment)["processor"], document["processor"], "processor" in properties]))
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == ["arm64", "arm64", True]
