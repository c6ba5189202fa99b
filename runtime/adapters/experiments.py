"""Reads what was observed in an experiment: labels, and how each version ran. Uses indexes, never a scan."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.adapters.dynamodb import Table
from triage.errors import THROTTLED
from triage.promotion.weighing import Observed, Ran, entries_to_label, statements
from triage.story import FeedbackEntry, PredictionEntry
from triage.strategies.registry import ModelStrategy

LAST = 2_000
"""The most predictions of a version that are read: enough to show that a model is slow, constant or failing."""


class Experiments:
    def __init__(self, story: Table) -> None:
        self._story = story

    def observe(self, row: ModelStrategy, now: datetime) -> Observed:
        """Read labels since the experiment began, and predictions since the arms have their present shares."""
        strategy = row.strategy
        versions = [arm.version for arm in strategy.all_arms]
        shadows = {arm.version for arm in strategy.shadows}
        stated = statements(row.task, self.feedback(row.experiment_began, now))
        stories: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for item in self._story.get_many(key for one in stated for key in entries_to_label(one, row.task, versions)):
            stories[item["complaint_id"]][item["entry"]] = item
        return Observed(
            statements=stated,
            stories=stories,
            ran={version: self.ran(version, row.stage_began, shadow=version in shadows) for version in versions},
            positive_label=self._positive_label(strategy.champion_arm.version),
        )

    def feedback(self, since: str, now: datetime) -> Iterator[FeedbackEntry]:
        """Yield the feedback that was applied since a moment, day by day."""
        day, last = datetime.fromisoformat(since).astimezone(UTC).date(), now.astimezone(UTC).date()
        while day <= last:
            for item in self._story.query(day.isoformat(), index="by_labelled_day"):
                entry = FeedbackEntry.model_validate(item)
                if entry.applied_at >= since:
                    yield entry
            day += timedelta(days=1)

    def ran(self, version: str, since: str, *, shadow: bool) -> Ran:
        """Read how a version ran as a shadow or, without `shadow`, as an arm that answers or stands in."""
        items = list(self._story.query_since(version, since, index="by_model", newest=LAST))
        predictions = (PredictionEntry.model_validate(item) for item in items)
        failed = self._story.query_since(version, since, index="by_failed_version", newest=LAST)
        errors = [item["error"] for item in failed if item["model"].get("shadow", False) == shadow]
        throttled = errors.count(THROTTLED)
        return Ran(
            predictions=tuple(p for p in predictions if p.model.shadow == shadow),
            failures=len(errors) - throttled,
            throttled=throttled,
            older=len(items) == LAST,
        )

    def _positive_label(self, version: str) -> str | None:
        """Return the label that a version looks for, as its last prediction states, however old that is."""
        last = next(self._story.query(version, index="by_model", newest=1), None)
        return PredictionEntry.model_validate(last).positive_label if last else None
