"""Keeps what is held: also what was written since the hold was placed. On a schedule."""

from typing import Any

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.retention import Retention
from runtime.function import Handler, entry_point
from triage import tables
from triage.functions import KeepHeldEnvironment

logger = Logger(service="keep_held")


def build(environment: KeepHeldEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    retention = Retention(
        Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table),
        story,
        Table(client, tables.AUDIT_CHAIN, environment.audit_chain_table),
        retention_days=environment.retention_days,
    )

    def keep(event: dict[str, Any], context: object) -> None:
        held = sorted({str(item["complaint_id"]) for item in story.query("yes", index="by_hold")})
        kept, failed = 0, []
        for complaint_id in held:
            try:
                kept += retention.keep(complaint_id) or 0
            except Exception:
                # One that fails must not leave the others unkept.
                logger.exception("not kept", extra={"complaint_id": complaint_id})
                failed.append(complaint_id)
        logger.info("kept", extra={"complaints": len(held), "records": kept})
        if failed:
            raise RuntimeError(f"{len(failed)} of {len(held)} complaints are not kept; the log says which and why")

    return keep


handler = entry_point(KeepHeldEnvironment, build)
