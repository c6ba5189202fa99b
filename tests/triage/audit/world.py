"""The records of one complaint as the functions write them, its chains, and somebody who may write both tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from tests.factories import any_feedback, any_model_reference, any_prediction, any_selection
from tests.stories import items
from triage.allocation import allocate
from triage.audit.chain import Link, content_sha256
from triage.audit.verification import Finding, verify
from triage.clock import load_clocks
from triage.feedback import INBOX, FeedbackRow
from triage.reallocation import replace
from triage.steps import AllocationRequest, Outcome
from triage.story import AllocationEntry
from triage.taxonomy import load_taxonomy

ID = "8123456"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
RETENTION_DAYS = 30
OUTCOME = ("product_team", "product", "issue", "vulnerable", "journey", "route", "reasons", "version", "decided_by")
"""The fields of an allocation that decide what happens to the customer."""

Item = dict[str, Any]


@dataclass
class World:
    """story, inbox: records by key. links, inbox_links: their chains, sealed as the stream's function does."""

    story: dict[str, Item] = field(default_factory=dict)
    inbox: dict[str, Item] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    inbox_links: list[Link] = field(default_factory=list)
    past: list[tuple[str, Item]] = field(default_factory=list)

    @classmethod
    def after(cls, feedback: Iterable[Mapping[str, Any]]) -> Self:
        """Return the records of a complaint that was allocated, and then given this feedback."""
        world = cls()
        models = tuple(any_model_reference(task=task, model_id=f"acme/{task}") for task in ("product", "vulnerable"))
        answers = (
            any_prediction(model=models[0]),
            any_prediction(model=models[1], label="vulnerable", positive_label="vulnerable"),
        )
        selection = any_selection(models=models)
        allocation = allocate(
            AllocationRequest(
                complaint_id=ID,
                started_at="2026-02-28T09:29:57.500Z",
                outcomes=tuple(Outcome(model=model) for model in models),
            ),
            selection=selection,
            predictions=answers,
            taxonomy=load_taxonomy(),
            clocks=load_clocks(),
            now=NOW - timedelta(days=1),
            code_version="test",
        )
        world.write(*items((selection, *answers, allocation)))
        for number, said in enumerate(feedback, start=1):
            world.apply(number, said)
        return world

    def apply(self, number: int, said: Mapping[str, Any]) -> None:
        """Hand in feedback about the current version, and apply it, as the function of feedback does."""
        current = AllocationEntry.model_validate(self.story["ALLOCATION"])
        feedback = any_feedback(**{"feedback_id": f"f-{number}", "version": current.version, **said})
        (row,) = items([FeedbackRow.of(feedback)])
        self.hand_in(row)
        now = NOW - timedelta(hours=20) + timedelta(minutes=number)
        made = replace(current, feedback, taxonomy=load_taxonomy(), clocks=load_clocks(), now=now, code_version="test")
        self.write(*items((made.superseded, made.feedback, made.allocation)))
        self.hand_in({**row, "outcome": "applied", "made_version": made.allocation.version})

    @property
    def outcome(self) -> dict[str, Any]:
        """What consumers read of the current allocation; empty where there is none."""
        return {name: self.story.get("ALLOCATION", {}).get(name) for name in OUTCOME}

    def write(self, *entries: Item, sealed: bool = True) -> None:
        for item in entries:
            self.story[item["entry"]] = dict(item)
            self.past.append((item["entry"], dict(item)))
        if sealed:
            self.seal()

    def hand_in(self, row: Item, *, sealed: bool = True) -> None:
        self.inbox[row["entry"]] = dict(row)
        if sealed:
            self.seal()

    def seal(self) -> None:
        """Seal every change since the last time, removals too."""
        for links, entries, partition in ((self.links, self.story, ID), (self.inbox_links, self.inbox, INBOX + ID)):
            known = {link.entry: link.content_sha256 for link in links}
            for entry in [*entries, *(known.keys() - entries.keys())]:
                content = entries.get(entry)
                sha256 = content_sha256(content) if content is not None else None
                if known.get(entry, "") != sha256 if content is not None else known.get(entry) is not None:
                    at = NOW - timedelta(days=1) + timedelta(seconds=len(links))
                    stated = {"complaint_id": partition, "sealed_at": at.isoformat(), "code_version": "test"}
                    last = links[-1] if links else None
                    links.append(Link.after(last, entry=entry, content=content, **stated))

    def findings(self, *, links: Iterable[Link] | None = None) -> list[Finding]:
        return verify(
            ID,
            links=self.links if links is None else links,
            story=self.story.values(),
            inbox_links=self.inbox_links,
            inbox=self.inbox.values(),
            now=NOW,
            retention_days=RETENTION_DAYS,
        )

    def problems(self, *, links: Iterable[Link] | None = None) -> set[tuple[str, str]]:
        return {(one.entry, one.problem) for one in self.findings(links=links)}
