"""A complaint's records as a command reads them, and whether they are what was sealed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.aws.deployment import Deployment
from cli.errors import NotFoundError
from runtime.adapters.dynamodb import Table
from triage import tables
from triage.audit.chain import Item, Link
from triage.audit.verification import Finding, verify
from triage.feedback import INBOX
from triage.timeline.account import Account
from triage.timeline.records import OUTBOX, Records


@dataclass(frozen=True)
class Sealed:
    """A chain as far as it is one, and what is no link of any."""

    links: list[Link]
    broken: list[Finding]


@dataclass(frozen=True)
class Found:
    """raw: without the narrative, which is not even fetched; None where the complaint is gone."""

    complaint_id: str
    raw: dict[str, Any] | None
    story: list[dict[str, Any]]
    inbox: list[dict[str, Any]]
    chain: Sealed
    inbox_chain: Sealed

    def records(self) -> Records:
        return Records.read(self.complaint_id, raw=self.raw, story=self.story, inbox=self.inbox)

    def findings(self, retention_days: int) -> list[Finding]:
        found = verify(
            self.complaint_id,
            links=self.chain.links,
            story=self.story,
            inbox_links=self.inbox_chain.links,
            inbox=self.inbox,
            now=datetime.now(UTC),
            retention_days=retention_days,
        )
        return [*self.chain.broken, *self.inbox_chain.broken, *found]


def find_records(deployment: Deployment, complaint_id: str) -> Found:
    """Raises: NotFoundError where nothing is left of a complaint, or never was anything."""
    chain = deployment.table(tables.AUDIT_CHAIN)
    inbox_id = INBOX + complaint_id
    # Chains first: what is written meanwhile is not sealed yet, and nothing worse.
    found = Found(
        chain=_sealed(chain, complaint_id),
        inbox_chain=_sealed(chain, inbox_id),
        complaint_id=complaint_id,
        raw=deployment.complaints.get(complaint_id, attributes=OUTBOX),
        story=list(deployment.story.query(complaint_id)),
        inbox=list(deployment.story.query(inbox_id)),
    )
    left = (found.raw, found.story, found.inbox, found.chain.links, found.chain.broken, found.inbox_chain.links)
    if not any(left):
        raise NotFoundError(
            f"no complaint {complaint_id!r} in {deployment.environment}; `triage status` shows what was allocated last"
        )
    return found


def findings(deployment: Deployment, complaint_id: str) -> list[Finding]:
    """Everything that is wrong with a complaint's records; empty where they are what was sealed.

    Raises: NotFoundError.
    """
    return find_records(deployment, complaint_id).findings(int(deployment.name("retention-days")))


def account(deployment: Deployment, complaint_id: str) -> Account:
    """Raises: NotFoundError."""
    found = find_records(deployment, complaint_id)
    return Account.of(
        found.records(),
        links=found.chain.links,
        inbox_links=found.inbox_chain.links,
        findings=found.findings(int(deployment.name("retention-days"))),
    )


def _sealed(table: Table, partition: str) -> Sealed:
    """What somebody has made of a link must not keep the rest from being told."""
    sealed = Sealed([], [])
    for item in table.query(partition):
        try:
            link = Link.model_validate(item)
        except ValueError:
            sealed.broken.append(_no_link(partition, item))
        else:
            sealed.links.append(link)
    return sealed


def _no_link(partition: str, item: Item) -> Finding:
    return Finding(
        complaint_id=partition,
        entry=str(item.get("entry")),
        problem="broken",
        detail=f"{item.get('sequence')!r} in the chain is no link",
    )


def recorded(deployment: Deployment) -> list[str]:
    """Ids of all complaints with records or a chain. Reads both tables."""
    chain = deployment.table(tables.AUDIT_CHAIN)
    ids = {str(item["complaint_id"]) for table in (deployment.story, chain) for item in table.scan()}
    return sorted({complaint_id.removeprefix(INBOX) for complaint_id in ids})
