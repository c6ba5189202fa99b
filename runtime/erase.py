"""Erases a complaint's text, its explanations, and feedback that could quote it. Decisions stay."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.audit.erasure import Erased, ErasureRequest, plan_erasure
from triage.functions import ERASE, EraseEnvironment

logger = Logger(service="erase")


def build(environment: EraseEnvironment, session: boto3.Session) -> Handler:
    complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    stories = Stories(environment, session)

    def erase(request: ErasureRequest) -> Erased:
        complaint_id = request.complaint_id
        erasure = plan_erasure(
            request,
            raw=complaints.get(complaint_id, attributes=("complaint_id", "triage_state")),
            story=stories.read(complaint_id),
            inbox=stories.inbox(complaint_id),
            now=datetime.now(UTC),
            code_version=environment.code_version,
        )
        if erasure is not None:
            # Recorded first, because a removal without a record would look like tampering.
            erasure = stories.record(erasure)
            stories.remove(complaint_id, erasure.entries, feedback=erasure.refused_feedback)
            complaints.delete(complaint_id)
        return Erased(complaint_id=complaint_id, erasure=erasure)

    return step_handler(ERASE, erase, logger)


handler = entry_point(EraseEnvironment, build)
