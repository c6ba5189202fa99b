"""`triage quality` on stored feedback."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import any_allocation, any_decision, any_feedback, any_model_reference
from triage.complaint import timestamp
from triage.story import Drawn, FeedbackEntry

ENV = ("--env", "dev")
KEYS = {"task", "metric", "estimate", "low", "high", "n", "weighted", "since", "until"}


@pytest.fixture
def triage(shell, deployment):
    return lambda *arguments: shell("quality", *arguments, *ENV)


def reviewed(deployment, complaint_id: str, *, label: str, at: datetime, inclusion: float = 0.02) -> None:
    """Put a complaint that was given to mortgages, and a blind review of it."""
    decision = any_decision(any_model_reference(task="product"), label="Mortgage", auto_threshold=0.8)
    drawn = Drawn(stratum="mortgage/auto/standard", inclusion=inclusion)
    deployment.story.put(any_allocation(complaint_id=complaint_id, decisions=(decision,), drawn=drawn))
    feedback = any_feedback(complaint_id=complaint_id, kind="reallocate", product=label, mode="blind")
    entry = FeedbackEntry(
        complaint_id=complaint_id,
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at=timestamp(at),
        labelled_on=at.date().isoformat(),
        labels={"product": label},
        feedback=feedback,
    )
    deployment.story.put(entry)


def test_accuracy_is_estimated_from_what_was_drawn_and_reviewed(triage, deployment):
    now = datetime.now(UTC)
    reviewed(deployment, "1", label="Mortgage", at=now)
    reviewed(deployment, "2", label="Credit card", at=now, inclusion=0.06)
    reviewed(deployment, "3", label="Credit card", at=now - timedelta(days=40))
    code, out, _ = triage("--json", "--task", "product")
    told = json.loads(out)
    assert code == 0
    assert all(one.keys() == KEYS and one["task"] == "product" for one in told)
    accuracy = next(one for one in told if one["metric"] == "accuracy")
    assert (accuracy["estimate"], accuracy["n"], accuracy["weighted"]) == (pytest.approx(0.75), 2, pytest.approx(66.7))
    assert accuracy["until"] == now.date().isoformat()
    _, out, _ = triage()
    assert "75.0%" in out and "accuracy of mortgage" in out
    _, out, _ = triage("--json", "--since", (now - timedelta(days=41)).date().isoformat())
    assert next(one for one in json.loads(out) if one["metric"] == "accuracy")["n"] == 3


def test_without_a_review_it_says_how_to_hand_one_in(triage):
    code, out, _ = triage()
    assert (code, "No drawn complaint was reviewed blind yet" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "colour"], "'colour' is not one of product, issue, vulnerable"),
        (["--since", "2999-01-01"], "future"),
    ],
)
def test_wrong_usage_is_told(triage, arguments, message):
    code, _, err = triage(*arguments)
    assert (code, message in err) == (2, True)
