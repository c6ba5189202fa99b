import pytest

from tests.factories import any_prediction
from triage.audit.replay import compare, impossible
from triage.inference.classify import REPLAY_TOLERANCE, Classification
from triage.story import PredictionEntry

RECORDED = any_prediction(
    label="Mortgage",
    confidence=0.7,
    top=({"label": "Mortgage", "probability": 0.7}, {"label": "Student loan", "probability": 0.2}),
    tokens_seen=12,
    tokens_total=14,
)


def said(mortgage: float = 0.7, **values: object) -> Classification:
    default: dict[str, object] = {
        "label": "Mortgage",
        "confidence": mortgage,
        "top": (("Mortgage", mortgage), ("Student loan", 0.2)),
        "tokens_seen": 12,
        "tokens_total": 14,
    }
    return Classification(**{**default, **values})  # type: ignore[arg-type]


def test_the_same_answer_is_identical():
    replay = compare(RECORDED, said())
    assert (replay.result, replay.max_abs_difference, replay.reason) == ("identical", 0.0, None)
    assert (replay.label, replay.replayed_label, replay.version) == ("Mortgage", "Mortgage", RECORDED.model_version)


def test_what_adding_in_another_order_changes_is_within_tolerance():
    replay = compare(RECORDED, said(0.7 + REPLAY_TOLERANCE / 2))
    assert (replay.result, replay.reason) == ("within tolerance", None)
    assert 0 < (replay.max_abs_difference or 0) <= REPLAY_TOLERANCE


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (said(0.7 + 2 * REPLAY_TOLERANCE), "probabilities differ"),
        (said(label="Student loan"), "another label"),
        (said(tokens_total=15), "changed since"),
        (said(top=(("Mortgage", 0.7), ("Vehicle loan or lease", 0.2))), "up to 0.2"),
    ],
    ids=["probability", "label", "text", "runner-up"],
)
def test_anything_else_is_different_and_says_why(now, reason):
    replay = compare(RECORDED, now)
    assert replay.result == "different"
    assert reason in (replay.reason or "")


def test_a_model_that_cannot_run_has_no_difference():
    replay = impossible(RECORDED, "BundleCorruptError: a file")
    assert (replay.result, replay.max_abs_difference, replay.replayed_label) == ("impossible", None, None)


def test_a_recorded_probability_comes_back_from_the_table_to_the_last_digit():
    """Otherwise no replay would be identical."""
    from runtime.adapters.dynamodb import from_item, to_item

    probability = 0.1 + 0.2
    recorded = any_prediction(confidence=probability)
    assert PredictionEntry.model_validate(from_item(to_item(recorded))).confidence == probability
