"""What was observed in an experiment: labels, and how each version ran. Read through indexes, without a scan."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from runtime.adapters.dynamodb import Table
from triage.promotion.course import Course, course
from triage.promotion.evidence import Evidence, Labelled
from triage.promotion.labels import keys, labelled, statements
from triage.promotion.verdict import Judgement, judge
from triage.promotion.weighing import Ran, weigh
from triage.story import FeedbackEntry, PredictionEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Arm

LAST = 2_000
"""Predictions of a version that are read at most: what is slow, constant or failing shows in them."""


@dataclass(frozen=True)
class Opinion:
    """What is known about one challenger, what that means, and what follows from it.

    labelled, positive_label: what the evidence was weighed from.
    """

    challenger: Arm
    evidence: Evidence
    judgement: Judgement
    course: Course
    labelled: tuple[Labelled, ...] = ()
    positive_label: str | None = None


class Experiments:
    def __init__(self, story: Table) -> None:
        self._story = story

    def opinions(self, row: ModelStrategy, now: datetime) -> list[Opinion]:
        """Of each challenger, those that answer first."""
        strategy = row.strategy
        stage = row.stage_since or row.changed_at
        shadows = {arm.version for arm in strategy.shadows}
        ran = {arm.version: self.ran(arm.version, stage, shadow=arm.version in shadows) for arm in strategy.all_arms}
        found = list(self.feedback(row.experiment_since or row.changed_at, now))
        positive = self._positive_label(strategy.champion_arm.version)
        opinions = []
        for challenger in (*strategy.challengers, *strategy.shadows):
            known = self.labelled(row, challenger, found)
            evidence = weigh(row, challenger, known, ran, positive_label=positive, now=now)
            judgement = judge(evidence, strategy.gates, strategy.guardrails)
            follows = course(
                strategy,
                challenger.name,
                judgement,
                baked=_baked(row, evidence, now),
                earned=row.earned,
                frozen=row.frozen is not None,
            )
            opinions.append(Opinion(challenger, evidence, judgement, follows, tuple(known), positive))
        return opinions

    def feedback(self, since: str, now: datetime) -> Iterator[FeedbackEntry]:
        """What people said since a moment, day by day."""
        for day in _days(datetime.fromisoformat(since).astimezone(UTC).date(), now.astimezone(UTC).date()):
            for item in self._story.query(day.isoformat(), index="by_labelled_day"):
                entry = FeedbackEntry.model_validate(item)
                if entry.applied_at >= since:
                    yield entry

    def labelled(self, row: ModelStrategy, challenger: Arm, found: list[FeedbackEntry]) -> list[Labelled]:
        """The statements about this task, each with what champion and challenger said."""
        champion = row.strategy.champion_arm.version
        chosen = statements(row.task, found)
        versions = (champion, challenger.version)
        stories: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for item in self._story.get_many(key for one in chosen for key in keys(one, row.task, versions)):
            stories[item["complaint_id"]][item["entry"]] = item
        return [
            labelled(statement, row.task, stories[one], champion=champion, challenger=challenger.version)
            for one, statement in chosen.items()
        ]

    def ran(self, version: str, since: str, *, shadow: bool) -> Ran:
        """shadow: predictions beside an answer; else those that answered, stand-ins among them."""
        items = list(self._story.query_since(version, since, index="by_model", newest=LAST))
        predictions = (PredictionEntry.model_validate(item) for item in items)
        failures = self._story.query_since(version, since, index="by_failed_version", newest=LAST)
        return Ran(
            predictions=tuple(p for p in predictions if p.model.shadow == shadow),
            failures=sum(item["model"].get("shadow", False) == shadow for item in failures),
            older=len(items) == LAST,
        )

    def _positive_label(self, version: str) -> str | None:
        """That a version looks for: its last prediction says so, however long ago that was."""
        last = next(self._story.query(version, index="by_model", newest=1), None)
        return PredictionEntry.model_validate(last).positive_label if last else None


def _baked(row: ModelStrategy, evidence: Evidence, now: datetime) -> bool:
    """The present shares were in force for long enough, and long enough for the challenger to answer some."""
    stage = datetime.fromisoformat(row.stage_since or row.changed_at)
    minutes = (now - stage).total_seconds() / 60
    asked = evidence.challenger_operations.asked
    strategy = row.strategy
    return minutes >= strategy.schedule.bake_minutes and asked >= strategy.guardrails.min_predictions


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)
