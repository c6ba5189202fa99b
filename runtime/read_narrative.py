"""Hands a narrative to a person, and records beforehand who receives it and what for."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.narratives import Narratives
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage.audit.reading import Read, ReadingRequest
from triage.complaint import timestamp
from triage.functions import READ_NARRATIVE, ReadNarrativeEnvironment
from triage.story import ReadingEntry

logger = Logger(service="read_narrative")


def build(environment: ReadNarrativeEnvironment, session: boto3.Session) -> Handler:
    narratives = Narratives(environment, session, purpose="a person's reading", logger=logger)
    stories = Stories(environment, session)

    def read(request: ReadingRequest) -> Read:
        complaint = narratives.read(request.complaint_id, requester=request.requester)
        read_at = timestamp(datetime.now(UTC))
        stories.record(
            ReadingEntry(
                complaint_id=request.complaint_id,
                entry=ReadingEntry.key(read_at),
                code_version=environment.code_version,
                read_at=read_at,
                read_by=request.requester,
                purpose=request.purpose,
            )
        )
        return Read(
            complaint_id=request.complaint_id,
            read_at=read_at,
            words=complaint.said,
            judged=complaint.narrative,
            as_written=complaint.as_written,
        )

    return step_handler(READ_NARRATIVE, read, logger)


handler = entry_point(ReadNarrativeEnvironment, build)
