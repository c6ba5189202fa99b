"""Seals every change of `complaints_allocation` into the chain of its complaint: the table's stream reports it."""

from collections import defaultdict
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.chain import Chain
from runtime.adapters.dynamodb import Table
from runtime.function import Handler, entry_point
from triage import tables
from triage.environment import SealEnvironment

logger = Logger(service="seal")


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
            link = chain.seal(partition, {entry: found.get((partition, entry)) for entry in entries})
            if link is not None:
                # Where whoever rewrites tables does not come: a log says what the chain ended with.
                told = {"complaint_id": partition, "link": link.number, "sha256": link.sha256}
                logger.info("sealed", extra=told)

    return seal


def _changed(event: dict[str, Any]) -> dict[str, dict[str, None]]:
    """The entries of each partition, in the order in which they changed first."""
    changed: dict[str, dict[str, None]] = defaultdict(dict)
    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        changed[keys["complaint_id"]["S"]][keys["entry"]["S"]] = None
    return changed


handler = entry_point(SealEnvironment, build)
