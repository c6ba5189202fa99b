"""A complaint's records, held against the chain that sealed them."""

from datetime import UTC, datetime

from cli.deployment import Deployment
from cli.errors import NotFoundError
from triage.chain import Link
from triage.feedback import INBOX
from triage.tables import AUDIT_CHAIN
from triage.verification import Finding, verify


def findings(deployment: Deployment, complaint_id: str) -> list[Finding]:
    """Everything that is wrong; nothing is not.

    Raises: NotFoundError where there is neither record nor chain.
    """
    chain, inbox = deployment.table(AUDIT_CHAIN), INBOX + complaint_id
    story = list(deployment.story.query(complaint_id))
    links = [Link.model_validate(item) for item in chain.query(complaint_id)]
    if not story and not links:
        raise NotFoundError(f"{deployment.environment} has no records of {complaint_id!r}")
    return verify(
        complaint_id,
        links=links,
        story=story,
        inbox_links=[Link.model_validate(item) for item in chain.query(inbox)],
        inbox=deployment.story.query(inbox),
        now=datetime.now(UTC),
        retention_days=int(deployment.name("retention-days")),
    )


def recorded(deployment: Deployment) -> list[str]:
    """Ids of all complaints with records or a chain. Reads both tables."""
    chain = deployment.table(AUDIT_CHAIN)
    ids = {str(item["complaint_id"]) for table in (deployment.story, chain) for item in table.scan()}
    return sorted({complaint_id.removeprefix(INBOX) for complaint_id in ids})
