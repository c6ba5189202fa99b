"""Explanations are computed on request, recorded, and delivered to whoever may read them."""

import pytest

from runtime.deliver_explanation import build as delivering
from runtime.explain import build as explaining
from runtime.find_decision import build as finding
from runtime.model_inference import build as inferring
from tests.factories import (
    any_allocation,
    any_decision,
    any_explanation_request,
    any_feedback,
    any_item,
    any_model_reference,
    any_selection,
)
from tests.runtime.audit import erase
from tests.runtime.conftest import Cloud, before, calls, failing
from triage.bundle import Calibration
from triage.errors import ComplaintMissingError, NothingToExplainError, TextChangedError
from triage.explanation.delivered import Delivered
from triage.steps import ExplanationStored, ExplanationTask, InferenceRequest
from triage.story import (
    DELIVERY,
    ERASURE,
    EXPLANATION,
    DeliveryEntry,
    ExplanationEntry,
    FeedbackEntry,
    PredictionEntry,
    sha256_of_text,
)
from triage.tables import COMPLAINTS_ALLOCATION, RAW_COMPLAINTS

LETTER = "The weather was fine. My mortgage was sold to a mortgage bank. Call me, John Smith, at (212) 555-0187."
REQUEST = any_explanation_request(complaint_id="1")


@pytest.fixture
def model(cloud, tmp_path):
    """A mirrored model whose decision about complaint 1 is recorded."""
    reference = cloud.mirrored(tmp_path, task="product", calibration=Calibration(temperature=8.0), max_length=256)
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative=LETTER))
    cloud.table(COMPLAINTS_ALLOCATION).put(any_allocation(complaint_id="1", decisions=(any_decision(reference),)))
    request = InferenceRequest(complaint_id="1", model=reference)
    inferring(cloud.model_inference, cloud.session())(request.model_dump(mode="json"), None)
    return reference


def explain(cloud: Cloud, request=REQUEST, session=None) -> ExplanationStored:
    """Explain a request as the state machine does."""
    session = session or cloud.session()
    task = finding(cloud.find_decision, session)(request.model_dump(mode="json"), None)
    assert ExplanationTask.model_validate(task).request == request
    return ExplanationStored.model_validate(explaining(cloud.explain, session)(task, None))


def deliver(cloud: Cloud, request=REQUEST, *, requester="ann", session=None) -> Delivered:
    asked = {
        "complaint_id": request.complaint_id,
        "task": request.task,
        "request_id": request.request_id,
        "requester": requester,
    }
    return Delivered.model_validate(delivering(cloud.deliver_explanation, session or cloud.session())(asked, None))


def entries(cloud: Cloud, kind: str) -> list[dict[str, object]]:
    return [item for item in cloud.table(COMPLAINTS_ALLOCATION).query("1") if str(item["entry"]).startswith(kind)]


def test_the_record_holds_the_decision_its_versions_and_no_word_of_the_text(cloud, model):
    stored = explain(cloud)
    (item,) = entries(cloud, EXPLANATION)
    entry = ExplanationEntry.model_validate(item)
    assert stored.entry == entry.entry == f"{EXPLANATION}product#{REQUEST.request_id}"
    recorded = cloud.table(COMPLAINTS_ALLOCATION).get("1", PredictionEntry.key(model))
    assert entry.prediction == PredictionEntry.model_validate(recorded)
    assert (entry.request, entry.explained.reproduced, entry.explained.label) == (REQUEST, True, "Mortgage")
    assert entry.expires_at and entry.retained_until > entry.explained_at[:10]
    assert not [word for word in ("weather", "sold", "Smith", "555-0187") if word in str(item)]


def test_the_same_request_is_answered_by_the_same_record(cloud, model):
    first = explain(cloud)
    before = entries(cloud, EXPLANATION)
    session = cloud.session()
    read = calls(session, "s3.GetObject")
    assert explain(cloud, session=session) == first
    assert entries(cloud, EXPLANATION) == before
    assert not read


def test_another_request_is_answered_by_another_record(cloud, model):
    explain(cloud)
    explain(cloud, any_explanation_request(complaint_id="1", requester="bob"))
    assert len(entries(cloud, EXPLANATION)) == 2


def test_what_people_said_is_part_of_the_record(cloud, model):
    said = FeedbackEntry(
        complaint_id="1",
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at="2026-03-02T10:00:00.000Z",
        labelled_on="2026-03-02",
        labels={},
        feedback=any_feedback(complaint_id="1"),
    )
    cloud.table(COMPLAINTS_ALLOCATION).put(said)
    explain(cloud)
    assert ExplanationEntry.model_validate(entries(cloud, EXPLANATION)[0]).people == (said,)


def test_a_task_that_no_model_decided_has_no_explanation(cloud, model):
    with pytest.raises(NothingToExplainError, match="no model answered for urgency"):
        explain(cloud, any_explanation_request(complaint_id="1", task="urgency"))
    with pytest.raises(NothingToExplainError, match="was not allocated"):
        explain(cloud, any_explanation_request(complaint_id="2"))


def test_a_model_that_recorded_no_answer_has_none_to_explain(cloud, model):
    cloud.table(COMPLAINTS_ALLOCATION).put(any_allocation(complaint_id="3", decisions=(any_decision(model),)))
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="3"))
    with pytest.raises(NothingToExplainError, match="recorded no answer"):
        explain(cloud, any_explanation_request(complaint_id="3"))


def test_where_the_champion_stood_in_it_is_the_one_that_explains(cloud, model):
    challenger = any_model_reference(model_id="acme/next", stand_in=model)
    cloud.table(COMPLAINTS_ALLOCATION).put(any_selection(complaint_id="1", models=(challenger,)))
    explain(cloud)
    (entry,) = entries(cloud, EXPLANATION)
    assert ExplanationEntry.model_validate(entry).prediction.model == model


def test_a_complaint_that_was_erased_is_named(cloud, model):
    cloud.session().client("dynamodb").delete_item(TableName=RAW_COMPLAINTS.name, Key={"complaint_id": {"S": "1"}})
    with pytest.raises(ComplaintMissingError):
        explain(cloud)


def test_what_is_handed_out_is_redacted_and_recorded_each_time(cloud, model):
    explain(cloud)
    delivered = deliver(cloud)
    text = "".join(passage.text for passage in delivered.sentences) + delivered.unread
    assert "[NAME]" in text and "[PHONE]" in text and "555" not in text and "weather" in text
    assert deliver(cloud, requester="bob").explanation == delivered.explanation
    handed = [DeliveryEntry.model_validate(item) for item in entries(cloud, DELIVERY)]
    assert {entry.requester for entry in handed} == {"ann", "bob"}
    assert {entry.explanation for entry in handed} == {delivered.explanation.entry}


def test_an_explanation_that_cannot_be_recorded_is_not_handed_out(cloud, model):
    explain(cloud)
    session = cloud.session()
    failing(session, "dynamodb.PutItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        deliver(cloud, session=session)
    assert not entries(cloud, DELIVERY)


def test_no_log_of_an_explanation_repeats_the_text(cloud, model, caplog):
    explain(cloud)
    deliver(cloud)
    told = [str(vars(record)) for record in caplog.records]
    assert any("narrative read" in line for line in told)
    assert not [line for line in told if "weather" in line or "555-0187" in line]


def test_nothing_is_handed_out_that_is_not_there(cloud, model):
    with pytest.raises(NothingToExplainError, match="has no explanation"):
        deliver(cloud)
    assert not entries(cloud, DELIVERY)


def test_figures_are_not_handed_out_beside_another_text(cloud, model):
    explain(cloud)
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative="Something else."))
    with pytest.raises(TextChangedError):
        deliver(cloud)
    assert not entries(cloud, DELIVERY)


def test_a_letter_that_was_replaced_is_named_and_not_the_model(cloud, model):
    cloud.table(COMPLAINTS_ALLOCATION).put(any_selection(complaint_id="1", text_sha256=sha256_of_text(LETTER)))
    assert explain(cloud)
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative="Another letter about my mortgage."))
    with pytest.raises(TextChangedError, match="was replaced after the models judged it"):
        explain(cloud, REQUEST.model_copy(update={"seed": 7}))


def test_a_letter_that_was_read_as_markup_or_by_another_version_is_named(cloud, model):
    markup = f"<p>{LETTER}</p>"
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative=markup))
    stories = cloud.table(COMPLAINTS_ALLOCATION)
    stories.put(any_selection(complaint_id="1", text_sha256=sha256_of_text(markup)))
    with pytest.raises(TextChangedError, match="was read as markup by an earlier version"):
        explain(cloud)
    stories.put(any_selection(complaint_id="1", text_sha256=sha256_of_text(markup), letter_version="0"))
    with pytest.raises(TextChangedError, match="by version 0 of the reader of letters"):
        explain(cloud)
    stories.put(any_selection(complaint_id="1", text_sha256=sha256_of_text(LETTER), letter_version="1"))
    assert explain(cloud)


def test_an_explanation_that_is_made_while_its_complaint_is_erased_is_not_stored(cloud, model):
    raw = cloud.table(RAW_COMPLAINTS)
    raw.put({**(raw.get("1") or {}), "triage_state": "allocated"})
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: erase(cloud))
    with pytest.raises(ComplaintMissingError, match="was erased while it was explained"):
        explain(cloud, session=session)
    assert not entries(cloud, EXPLANATION) and entries(cloud, ERASURE)


def test_of_two_that_explain_at_once_one_stores_it(cloud, model):
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: explain(cloud))
    explain(cloud, session=session)
    assert len(entries(cloud, EXPLANATION)) == 1
