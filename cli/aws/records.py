"""Reads a complaint's records for a command, and verifies them against their chains."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cli.aws.deployment import Deployment
from cli.errors import NotFoundError
from triage import tables
from triage.audit.chain import Link
from triage.audit.verification import Finding, verify, verify_anchors
from triage.feedback import INBOX
from triage.timeline.account import Account
from triage.timeline.records import OUTBOX, Records


@dataclass(frozen=True)
class Partition:
    """The items of one partition, and the links of its chain. broken: items of the chain that are not valid links,
    and links that are not what was anchored."""

    items: list[dict[str, Any]]
    links: list[Link] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """Everything that is stored about a complaint, except its narrative, which is not even fetched.

    raw: attributes of the complaint itself; None if it does not exist any more. inbox: the feedback handed in about it.
    """

    complaint_id: str
    raw: dict[str, Any] | None
    story: Partition
    inbox: Partition

    def records(self) -> Records:
        return Records.read(self.complaint_id, raw=self.raw, story=self.story.items, inbox=self.inbox.items)

    def findings(self, retention_days: int) -> list[Finding]:
        found = verify(
            self.complaint_id,
            links=self.story.links,
            story=self.story.items,
            inbox_links=self.inbox.links,
            inbox=self.inbox.items,
            now=datetime.now(UTC),
            retention_days=retention_days,
        )
        return [*self.story.broken, *self.inbox.broken, *found]


def find_records(deployment: Deployment, complaint_id: str) -> Found:
    """Raises: NotFoundError if nothing is stored about the complaint."""
    # The inbox is read first: an erasure is recorded in the story before it removes feedback.
    inbox, story = _partition(deployment, INBOX + complaint_id), _partition(deployment, complaint_id)
    raw = deployment.complaints.get(complaint_id, attributes=OUTBOX)
    if not any((raw, story.items, story.links, story.broken, inbox.items, inbox.links)):
        raise NotFoundError(
            f"nothing is stored about complaint {complaint_id!r} in {deployment.environment}: check the id; "
            "`triage status` shows what was allocated last"
        )
    return Found(complaint_id, raw, story, inbox)


def findings(deployment: Deployment, complaint_id: str) -> list[Finding]:
    """Return every difference between a complaint's records and its chains.

    Raises: NotFoundError.
    """
    return find_records(deployment, complaint_id).findings(int(deployment.name("retention-days")))


def account(deployment: Deployment, complaint_id: str) -> Account:
    """Raises: NotFoundError."""
    found = find_records(deployment, complaint_id)
    return Account.of(
        found.records(),
        links=found.story.links,
        inbox_links=found.inbox.links,
        findings=found.findings(int(deployment.name("retention-days"))),
    )


def _partition(deployment: Deployment, partition: str) -> Partition:
    links, broken = list[Link](), list[Finding]()
    # The chain is read first: an item that is written meanwhile is then reported as not sealed yet, not as missing.
    for item in deployment.table(tables.AUDIT_CHAIN).query(partition):
        try:
            links.append(Link.model_validate(item))
        except ValueError:
            detail = f"the item with the sequence {item.get('sequence')!r} is no valid link"
            entry = str(item.get("entry"))
            broken.append(Finding(complaint_id=partition, entry=entry, problem="broken", detail=detail))
    broken += verify_anchors(links, deployment.anchors.of(links[-1]) if links else ())
    return Partition(list(deployment.story.query(partition)), links, broken)


def recorded(deployment: Deployment) -> list[str]:
    """Return the ids of all complaints with records or a chain. Reads both tables whole."""
    chain = deployment.table(tables.AUDIT_CHAIN)
    ids = {str(item["complaint_id"]) for table in (deployment.story, chain) for item in table.scan()}
    return sorted({complaint_id.removeprefix(INBOX) for complaint_id in ids})
