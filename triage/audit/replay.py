"""Whether a model says today what it is recorded to have said."""

from typing import Literal

from triage.contracts import Contract, TaskName
from triage.inference.classify import Classification
from triage.story import PredictionEntry

TOLERANCE = 1e-6
"""Of a probability: processors add up in different orders. A quantized model may differ by more on another kind of
processor, and is then reported as different."""

Result = Literal["identical", "within tolerance", "different", "impossible"]


class Replay(Contract):
    """One prediction beside the same model's answer now.

    max_abs_difference: over the probabilities that are recorded; None where there was no answer. reason: why it is not
    identical.
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
    """It could not even be asked."""
    return Replay(
        task=recorded.model.task,
        version=recorded.model_version,
        shadow=recorded.model.shadow,
        result="impossible",
        label=recorded.label,
        reason=reason,
    )


def _reason(recorded: PredictionEntry, now: Classification, largest: float) -> str | None:
    """Tokens first: another text, or another tokenizer, explains everything else."""
    if (recorded.tokens_seen, recorded.tokens_total) != (now.tokens_seen, now.tokens_total):
        return f"the text had {recorded.tokens_total} tokens and has {now.tokens_total}: it was changed since"
    if recorded.label != now.label:
        return "another label"
    if largest > TOLERANCE:
        return f"probabilities differ by up to {largest:.2g}"
    return None
