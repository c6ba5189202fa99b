"""Hands out a narrative to a person, and records first who has it and what for."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.narratives import Narratives
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.audit.reading import Read, ReadingRequest
from triage.complaint import Complaint, timestamp
from triage.functions import READ_NARRATIVE, ReadNarrativeEnvironment
from triage.outbox import expiry
from triage.story import ReadingEntry

logger = Logger(service="read_narrative")


def build(environment: ReadNarrativeEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    narratives = Narratives(complaints, purpose="a person's reading", logger=logger)

    def read(request: ReadingRequest) -> Read:
        complaint = Complaint.read(narratives.read(request.complaint_id, requester=request.requester))
        now = datetime.now(UTC)
        read_at = timestamp(now)
        story.put(
            ReadingEntry(
                complaint_id=request.complaint_id,
                entry=ReadingEntry.key(read_at),
                code_version=environment.code_version,
                expires_at=expiry(now, environment.retention_days),
                read_at=read_at,
                read_by=request.requester,
                purpose=request.purpose,
            )
        )
        return Read(complaint_id=request.complaint_id, read_at=read_at, words=complaint.narrative)

    return keeps(READ_NARRATIVE, read, logger)


handler = entry_point(ReadNarrativeEnvironment, build)
