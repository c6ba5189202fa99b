"""Hands out a stored explanation beside the redacted words it is about, and records to whom."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.narratives import Narratives
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.complaint import Complaint, timestamp
from triage.environment import DeliverExplanationEnvironment
from triage.errors import NothingToExplainError
from triage.explanation.delivery import DELIVER_EXPLANATION, Delivered, deliver
from triage.outbox import expiry
from triage.steps import DeliveryRequest
from triage.story import DeliveryEntry, ExplanationEntry

logger = Logger(service="deliver_explanation")


def build(environment: DeliverExplanationEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    narratives = Narratives(complaints, purpose="delivery of an explanation", logger=logger)
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)

    def hand_out(request: DeliveryRequest) -> Delivered:
        key = ExplanationEntry.key(request.task, request.request_id)
        stored = story.get(request.complaint_id, key)
        if stored is None:
            raise NothingToExplainError(f"{request.complaint_id} has no explanation {key}")
        complaint = Complaint.read(narratives.read(request.complaint_id, requester=request.requester))
        now = datetime.now(UTC)
        delivered = deliver(
            ExplanationEntry.model_validate(stored),
            complaint.narrative,
            requester=request.requester,
            delivered_at=timestamp(now),
        )
        # Recorded before it leaves: a delivery that nobody knows of must not happen.
        story.put(
            DeliveryEntry(
                complaint_id=request.complaint_id,
                entry=DeliveryEntry.key(request.task, request.request_id, delivered.delivered_at),
                code_version=environment.code_version,
                expires_at=expiry(now, environment.retention_days),
                explanation=key,
                requester=request.requester,
                delivered_at=delivered.delivered_at,
            )
        )
        return delivered

    return keeps(DELIVER_EXPLANATION, hand_out, logger)


handler = entry_point(DeliverExplanationEnvironment, build)
