"""Seals every change of `complaints_allocation` into the chain of its complaint: the table's stream reports it.

Whatever rewrites what is written once, or removes what no erasure names, is announced the moment it is sealed.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.chain import Chain
from runtime.adapters.dynamodb import Table
from runtime.adapters.metrics import measure
from runtime.function import Handler, entry_point
from triage import tables
from triage.audit.verification import Finding, verify
from triage.environment import SealEnvironment
from triage.feedback import INBOX
from triage.metrics import Metric

logger = Logger(service="seal")

FOR_GOOD: Final = frozenset({"rewritten", "removed"})
"""Problems that waiting does not mend: the others may be a change that the stream has not reported yet."""

WHOLE: Final = "*"
"""In place of an entry: no single one is to blame."""


def build(environment: SealEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    chain = Chain(
        Table(client, tables.AUDIT_CHAIN, environment.audit_chain_table),
        code_version=environment.code_version,
        retention_days=environment.retention_days,
    )

    def seal(event: dict[str, Any], context: object) -> None:
        """Raises whatever stops it: the stream then waits, so that nothing is left out."""
        changed = _changed(event)
        keys = [(partition, entry) for partition, entries in changed.items() for entry in entries]
        found = {(item["complaint_id"], item["entry"]): item for item in story.get_many(keys, consistent=True)}
        for partition, entries in changed.items():
            sealed = chain.seal(partition, {entry: found.get((partition, entry)) for entry in entries})
            if sealed.last is not None:
                # Where whoever rewrites tables does not come: a log says what the chain ended with.
                told = {"complaint_id": partition, "link": sealed.last.number, "sha256": sealed.last.sha256}
                logger.info("sealed", extra=told)
            if again := sealed.more_than_once(entries):
                _announce(one for one in altered(partition) if one.entry in again or one.entry == WHOLE)

    def altered(partition: str) -> list[Finding]:
        """What is wrong for good; what is only not sealed yet is not."""
        complaint_id = partition.removeprefix(INBOX)
        inbox = INBOX + complaint_id
        read: dict[str, Any] = {
            "links": chain.links(complaint_id),
            "story": list(story.query(complaint_id)),
            "inbox_links": chain.links(inbox),
            "inbox": list(story.query(inbox)),
        }
        try:
            findings = verify(complaint_id, **read, now=datetime.now(UTC), retention_days=environment.retention_days)
        except Exception as error:
            # Whoever slips in what cannot be read must not keep the next change from being sealed.
            detail = f"{type(error).__name__}: its records cannot be verified"
            return [Finding(complaint_id=partition, entry=WHOLE, problem="broken", detail=detail)]
        return [one for one in findings if one.complaint_id == partition and one.problem in FOR_GOOD]

    return seal


def _announce(findings: Iterable[Finding]) -> None:
    for finding in findings:
        logger.error("altered record", extra=finding.model_dump())
        # An alarm watches this.
        measure(Metric.RECORD_ALTERED)


def _changed(event: dict[str, Any]) -> dict[str, dict[str, None]]:
    """The entries of each partition, in the order in which they changed first."""
    changed: dict[str, dict[str, None]] = defaultdict(dict)
    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        changed[keys["complaint_id"]["S"]][keys["entry"]["S"]] = None
    return changed


handler = entry_point(SealEnvironment, build)
