"""Hands out a stored explanation with the redacted words it is about, and records beforehand who receives it."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.narratives import Narratives
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage.complaint import timestamp
from triage.errors import NothingToExplainError
from triage.explanation.delivered import Delivered
from triage.explanation.delivery import deliver
from triage.functions import DELIVER_EXPLANATION, DeliverExplanationEnvironment
from triage.steps import DeliveryRequest
from triage.story import DeliveryEntry, ExplanationEntry

logger = Logger(service="deliver_explanation")


def build(environment: DeliverExplanationEnvironment, session: boto3.Session) -> Handler:
    narratives = Narratives(environment, session, purpose="delivery of an explanation", logger=logger)
    stories = Stories(environment, session)

    def hand_out(request: DeliveryRequest) -> Delivered:
        key = ExplanationEntry.key(request.task, request.request_id)
        stored = stories.get(ExplanationEntry, request.complaint_id, key)
        if stored is None:
            raise NothingToExplainError(
                f"{request.complaint_id} has no explanation {key}; ask for one first: triage explain"
            )
        complaint = narratives.read(request.complaint_id, requester=request.requester)
        delivered_at = timestamp(datetime.now(UTC))
        delivered = deliver(stored, complaint.narrative, requester=request.requester, delivered_at=delivered_at)
        stories.record(
            DeliveryEntry(
                complaint_id=request.complaint_id,
                entry=DeliveryEntry.key(request.task, request.request_id, delivered_at),
                code_version=environment.code_version,
                explanation=key,
                requester=request.requester,
                delivered_at=delivered_at,
            )
        )
        return delivered

    return step_handler(DELIVER_EXPLANATION, hand_out, logger)


handler = entry_point(DeliverExplanationEnvironment, build)
