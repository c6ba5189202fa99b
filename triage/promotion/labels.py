"""From what people said to the labelled complaints that a comparison rests on."""

from collections.abc import Iterable, Mapping
from typing import Any

from triage.promotion.evidence import Answer, Labelled
from triage.story import ALLOCATION, PREDICTION, SHADOW, AllocationEntry, FeedbackEntry, PredictionEntry


def statements(task: str, entries: Iterable[FeedbackEntry]) -> dict[str, FeedbackEntry]:
    """By complaint, the statement about this task that counts: a blind one before any other, then the latest."""
    chosen: dict[str, FeedbackEntry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.feedback.mode == "blind", entry.applied_at)):
        if task in entry.labels:
            chosen[entry.complaint_id] = entry
    return chosen


def keys(complaint_id: str, task: str, versions: Iterable[str]) -> list[tuple[str, str]]:
    """Of what has to be read beside a statement: the allocation, and what these versions said."""
    predictions = [f"{kind}{task}#{version}" for version in versions for kind in (PREDICTION, SHADOW)]
    return [(complaint_id, entry) for entry in (ALLOCATION, *predictions)]


def labelled(
    statement: FeedbackEntry, task: str, story: Mapping[str, Mapping[str, Any]], *, champion: str, challenger: str
) -> Labelled:
    """One complaint with its truth and both answers. story: items by entry, as far as they exist."""
    allocation = AllocationEntry.model_validate(story[ALLOCATION]) if ALLOCATION in story else None
    return Labelled(
        complaint_id=statement.complaint_id,
        at=statement.applied_at,
        truth=statement.labels[task],
        blind=statement.feedback.mode == "blind",
        inclusion=statement.feedback.inclusion,
        stratum=statement.feedback.stratum,
        groups=_groups(allocation) if allocation else (),
        champion=_answer(task, champion, story),
        challenger=_answer(task, challenger, story),
    )


def _groups(allocation: AllocationEntry) -> tuple[str, ...]:
    """As the story stands now, which is as people have corrected it."""
    vulnerable = {True: "yes", False: "no", None: "unknown"}[allocation.vulnerable]
    return (f"product:{allocation.product or 'unknown'}", f"vulnerable:{vulnerable}")


def _answer(task: str, version: str, story: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    for kind in (PREDICTION, SHADOW):
        item = story.get(f"{kind}{task}#{version}")
        if item is not None:
            return answer_of(PredictionEntry.model_validate(item))
    return None


def answer_of(prediction: PredictionEntry) -> Answer:
    auto = prediction.thresholds.auto
    return Answer(
        label=prediction.label,
        confidence=prediction.confidence,
        automatic=auto is not None and prediction.confidence >= auto,
    )
