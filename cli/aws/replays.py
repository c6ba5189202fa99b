"""Complaints as they were answered, and all that was predicted of them, to be simulated under another strategy.

Read through indexes, without a scan.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cli.simulation import Past
from runtime.adapters.dynamodb import Table
from runtime.adapters.experiments import Experiments
from triage.complaint import timestamp
from triage.promotion.gates import Gates
from triage.promotion.weighing import answer_of, statements
from triage.story import SELECTION, FeedbackEntry, PredictionEntry
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Strategy

REPLAYED = 20_000
"""Predictions of a version that are read at most: a share of so many is known within 0.7 points."""


@dataclass(frozen=True)
class Replay:
    """Complaints that were answered since then. cut: there are older ones that were asked for and not read.

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
        """What was answered since then, with all that any version said of it.

        strategies: that will be simulated. history: the ledger of their task. in_force: its present row, which may have
        been written by hand since. gates: say which labels count.
        """
        task, began = strategies[0].task, timestamp(since)
        entries = list(history)
        predictions, cut = self._predictions(task, _versions(strategies, entries, began), began)
        # A shadow predicts after the answer, so with every answer that is kept its shadows are there.
        answers = {p.complaint_id: p for p in predictions if not p.model.shadow and p.predicted_at > cut}
        positive = max(predictions, key=lambda p: p.predicted_at).positive_label if predictions else None
        said = statements(task, Experiments(self._story).feedback(max(began, cut), now))
        known = _by_complaint(predictions)
        deals = _deals(entries, in_force)
        past = [
            _past(answer, known[one], said.get(one), deals, task=task, positive=positive, gates=gates)
            for one, answer in answers.items()
        ]
        return Replay(self._with_subjects(past, strategies), max(began, cut), bool(cut), positive)

    def _predictions(self, task: str, versions: Iterable[str], since: str) -> tuple[list[PredictionEntry], str]:
        """And the moment until which some were left out; empty where none were."""
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
        """Customers of the complaints that would be dealt anew."""
        anew = [one.complaint_id for one in past if any(map(one.needs_subject, strategies))]
        items = self._story.get_many((complaint_id, SELECTION) for complaint_id in anew)
        subjects = {item["complaint_id"]: item["subject"] for item in items}
        return tuple(one.model_copy(update={"subject": subjects.get(one.complaint_id)}) for one in past)


def _versions(strategies: Iterable[Strategy], entries: list[LedgerEntry], began: str) -> list[str]:
    """Every version that may have predicted since then, in force or not any more."""
    first = max((place for place, entry in enumerate(entries) if entry.valid_from <= began), default=0)
    known = [*strategies, *(entry.strategy for entry in entries[first:] if entry.strategy)]
    champions = [entry.champion for entry in entries[first:] if entry.champion]
    return list(dict.fromkeys([*(arm.version for strategy in known for arm in strategy.all_arms), *champions]))


def _deals(entries: Iterable[LedgerEntry], in_force: ModelStrategy | None) -> dict[int, Strategy]:
    """The strategies that dealt, by their versions; none where a hand has changed one under its version."""
    deals = {entry.strategy_version: entry.strategy for entry in entries if entry.strategy}
    if in_force is not None and deals.get(in_force.version) != in_force.strategy:
        deals.pop(in_force.version, None)
    return deals


def _by_complaint(predictions: Iterable[PredictionEntry]) -> Mapping[str, list[PredictionEntry]]:
    known: defaultdict[str, list[PredictionEntry]] = defaultdict(list)
    # Answers last: where a version has both answered and shadowed, the answer counts.
    for prediction in sorted(predictions, key=lambda prediction: not prediction.model.shadow):
        known[prediction.complaint_id].append(prediction)
    return known


def _past(
    answer: PredictionEntry,
    known: Sequence[PredictionEntry],
    said: FeedbackEntry | None,
    deals: Mapping[int, Strategy],
    *,
    task: str,
    positive: str | None,
    gates: Gates,
) -> Past:
    feedback = said.feedback if said else None
    return Past(
        complaint_id=answer.complaint_id,
        dealt=_dealt(answer, deals),
        answers={one.model_version: answer_of(one) for one in known},
        positive=_positive(known, positive),
        truth=said.labels[task] if said else None,
        counts=feedback is not None and gates.counts(blind=feedback.mode == "blind", inclusion=feedback.inclusion),
        inclusion=feedback.inclusion if feedback else None,
    )


def _dealt(answer: PredictionEntry, deals: Mapping[int, Strategy]) -> tuple[str, str, int] | None:
    """By the experiment that was in force then; what was dealt by a strategy that no ledger knows is dealt anew."""
    strategy = deals.get(answer.model.strategy_version or 0)
    if strategy is None or answer.model.bucket is None:
        return None
    return strategy.experiment, strategy.salt, answer.model.bucket


def _positive(known: Sequence[PredictionEntry], label: str | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in known:
        recorded = {p.label: p.probability for p in one.top} | {one.label: one.confidence}
        if label in recorded:
            found[one.model_version] = recorded[label]
    return found
