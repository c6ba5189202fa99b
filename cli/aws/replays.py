"""Reads past complaints with their answers and all other predictions, to simulate them under another strategy.

Uses indexes, never a scan.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cli.simulation import Past
from runtime.adapters.dynamodb import Table
from runtime.adapters.experiments import Experiments
from triage.complaint import timestamp
from triage.promotion.gates import Gates
from triage.promotion.weighing import answer_of, statements
from triage.story import ALLOCATION, SELECTION, AllocationEntry, Drawn, FeedbackEntry, PredictionEntry
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Strategy

REPLAYED = 20_000
"""Predictions that are read at most for a version: enough to estimate a share within 0.7 points."""


@dataclass(frozen=True)
class Replay:
    """Complaints that were answered since `since`. cut: the request began earlier, but older ones were not read.

    positive_label: see `metrics`.
    """

    past: tuple[Past, ...]
    since: str
    cut: bool
    positive_label: str | None


class Replays:
    def __init__(self, story: Table) -> None:
        self._story = story

    def read(
        self,
        strategies: Sequence[Strategy],
        history: Iterable[LedgerEntry],
        *,
        in_force: ModelStrategy | None,
        gates: Gates,
        since: datetime,
        now: datetime,
    ) -> Replay:
        """Read the complaints of a task that were answered since a moment, with all predictions of each.

        strategies: those to simulate. history: the ledger of their task. in_force: the current row, which people may
        have edited. gates: decide which labels count.
        """
        task, began = strategies[0].task, timestamp(since)
        entries = list(history)
        predictions, cut = self._predictions(task, _versions(strategies, entries, began), began)
        # A shadow predicts after the answer. So the shadows of every answer after `cut` were read, too.
        answers = {p.complaint_id: p for p in predictions if not p.model.shadow and p.predicted_at > cut}
        positive = max(predictions, key=lambda p: p.predicted_at).positive_label if predictions else None
        stated = statements(task, Experiments(self._story).feedback(max(began, cut), now))
        known: defaultdict[str, list[PredictionEntry]] = defaultdict(list)
        # Answers come last: if a version predicted as a shadow and answered, its answer counts.
        for prediction in sorted(predictions, key=lambda prediction: not prediction.model.shadow):
            known[prediction.complaint_id].append(prediction)
        deals = _deals(entries, in_force)
        items = self._story.get_many((one, ALLOCATION) for one in stated if one in answers)
        drawn = {item["complaint_id"]: AllocationEntry.model_validate(item).drawn for item in items}
        past = [
            _past(
                answer,
                known[complaint_id],
                stated.get(complaint_id),
                deals,
                positive=positive,
                gates=gates,
                drawn=drawn.get(complaint_id),
            )
            for complaint_id, answer in answers.items()
        ]
        return Replay(self._with_subjects(past, strategies), max(began, cut), bool(cut), positive)

    def _predictions(self, task: str, versions: Iterable[str], since: str) -> tuple[list[PredictionEntry], str]:
        """Return predictions, and the time before which some versions were not read; empty if all were."""
        found: list[PredictionEntry] = []
        cut = ""
        for version in versions:
            items = list(self._story.query_since(version, since, index="by_model", newest=REPLAYED))
            read = [PredictionEntry.model_validate(item) for item in items]
            found += [prediction for prediction in read if prediction.model.task == task]
            if len(read) == REPLAYED:
                cut = max(cut, read[-1].predicted_at)
        return found, cut

    def _with_subjects(self, past: list[Past], strategies: Sequence[Strategy]) -> tuple[Past, ...]:
        """Add the subject of each complaint that must be assigned again."""
        anew = [complaint.complaint_id for complaint in past if any(map(complaint.needs_subject, strategies))]
        items = self._story.get_many((complaint_id, SELECTION) for complaint_id in anew)
        subjects = {item["complaint_id"]: item["subject"] for item in items}
        return tuple(each.model_copy(update={"subject": subjects.get(each.complaint_id)}) for each in past)


def _versions(strategies: Iterable[Strategy], entries: list[LedgerEntry], began: str) -> list[str]:
    """Return every version that may have predicted since `began`, even if it is no longer in force."""
    first = max((place for place, entry in enumerate(entries) if entry.valid_from <= began), default=0)
    known = [*strategies, *(entry.strategy for entry in entries[first:] if entry.strategy)]
    champions = [entry.champion for entry in entries[first:] if entry.champion]
    return list(dict.fromkeys([*(arm.version for strategy in known for arm in strategy.all_arms), *champions]))


def _deals(entries: Iterable[LedgerEntry], in_force: ModelStrategy | None) -> dict[int, Strategy]:
    """Return strategies by version. If somebody edited the row in force by hand, its version is left out."""
    deals = {entry.strategy_version: entry.strategy for entry in entries if entry.strategy}
    if in_force is not None and deals.get(in_force.version) != in_force.strategy:
        deals.pop(in_force.version, None)
    return deals


def _past(
    answer: PredictionEntry,
    known: Sequence[PredictionEntry],
    stated: FeedbackEntry | None,
    deals: dict[int, Strategy],
    *,
    positive: str | None,
    gates: Gates,
    drawn: Drawn | None,
) -> Past:
    inclusion = drawn.inclusion if drawn else None
    feedback = stated.feedback if stated else None
    strategy, bucket = deals.get(answer.model.strategy_version or 0), answer.model.bucket
    recorded = {p.model_version: {one.label: one.probability for one in p.top} | {p.label: p.confidence} for p in known}
    return Past(
        complaint_id=answer.complaint_id,
        # None if no strategy of the ledger assigned the complaint; it is then assigned again.
        dealt=(strategy.experiment, strategy.salt, bucket) if strategy and bucket is not None else None,
        answers={one.model_version: answer_of(one) for one in known},
        positive={version: labels[positive] for version, labels in recorded.items() if positive in labels},
        truth=stated.labels[answer.model.task] if stated else None,
        counts=feedback is not None and gates.counts(blind=feedback.mode == "blind", inclusion=inclusion),
        inclusion=inclusion,
    )
