"""Compares a recorded prediction with what the same model predicts today."""

from typing import Literal

from triage.contracts import Contract, TaskName
from triage.inference.classify import REPLAY_TOLERANCE, Classification
from triage.story import PredictionEntry

Result = Literal["identical", "within tolerance", "different", "impossible"]


class Replay(Contract):
    """One recorded prediction, compared with the same model's prediction now.

    max_abs_difference: the largest difference of a recorded probability; None where the model could not be asked.
    reason: why the result is `different` or `impossible`.
    """

    task: TaskName
    version: str
    shadow: bool
    result: Result
    label: str
    replayed_label: str | None = None
    max_abs_difference: float | None = None
    reason: str | None = None


def compare(recorded: PredictionEntry, now: Classification) -> Replay:
    again = dict(now.top)
    differences = [abs(one.probability - again.get(one.label, 0.0)) for one in recorded.top]
    largest = max([*differences, abs(recorded.confidence - now.confidence)])
    reason = _reason(recorded, now, largest)
    return Replay(
        task=recorded.model.task,
        version=recorded.model_version,
        shadow=recorded.model.shadow,
        result="different" if reason else "within tolerance" if largest else "identical",
        label=recorded.label,
        replayed_label=now.label,
        max_abs_difference=largest,
        reason=reason,
    )


def impossible(recorded: PredictionEntry, reason: str) -> Replay:
    """Return the replay of a prediction whose model cannot be asked any more."""
    return Replay(
        task=recorded.model.task,
        version=recorded.model_version,
        shadow=recorded.model.shadow,
        result="impossible",
        label=recorded.label,
        reason=reason,
    )


def _reason(recorded: PredictionEntry, now: Classification, largest: float) -> str | None:
    """Return what differs, the cause before its effects: another text or tokenizer explains every other difference."""
    if (recorded.tokens_seen, recorded.tokens_total) != (now.tokens_seen, now.tokens_total):
        return f"the text had {recorded.tokens_total} tokens and now has {now.tokens_total}: it was changed since"
    if recorded.label != now.label:
        return "another label"
    if largest > REPLAY_TOLERANCE:
        return f"probabilities differ by up to {largest:.2g}"
    return None
