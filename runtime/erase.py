"""Erases the words of a complaint, and what was made of them, from the tables."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.audit.erasure import Erased, ErasureRequest, plan_erasure
from triage.feedback import INBOX
from triage.functions import ERASE, EraseEnvironment
from triage.outbox import expiry

logger = Logger(service="erase")


def build(environment: EraseEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)

    def erase(request: ErasureRequest) -> Erased:
        complaint_id, inbox, now = request.complaint_id, INBOX + request.complaint_id, datetime.now(UTC)
        erasure = plan_erasure(
            request,
            raw=complaints.get(complaint_id, attributes=("complaint_id", "triage_state")),
            story=story.query(complaint_id),
            inbox=story.query(inbox),
            now=now,
            code_version=environment.code_version,
            expires_at=expiry(now, environment.retention_days),
        )
        if erasure is not None:
            # Recorded first: what goes without a record would look like tampering.
            story.put(erasure)
            for entry in erasure.entries:
                story.delete(complaint_id, entry)
            for feedback_id in erasure.refused_feedback:
                story.delete(inbox, feedback_id)
            complaints.delete(complaint_id)
        return Erased(complaint_id=complaint_id, erasure=erasure)

    return keeps(ERASE, erase, logger)


handler = entry_point(EraseEnvironment, build)
