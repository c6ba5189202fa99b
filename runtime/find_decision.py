"""Finds the model whose decision is to be explained."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.errors import NothingToExplainError
from triage.explanation.selected import deciding_model
from triage.functions import FIND_DECISION, FindDecisionEnvironment
from triage.steps import ExplanationRequest, ExplanationTask
from triage.story import ALLOCATION, AllocationEntry

logger = Logger(service="find_decision")


def build(environment: FindDecisionEnvironment, session: boto3.Session) -> Handler:
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)

    def find(request: ExplanationRequest) -> ExplanationTask:
        item = story.get(request.complaint_id, ALLOCATION)
        if item is None:
            raise NothingToExplainError(f"{request.complaint_id} was not allocated")
        allocation = AllocationEntry.model_validate(item)
        return ExplanationTask(request=request, model=deciding_model(allocation, task=request.task))

    return keeps(FIND_DECISION, find, logger)


handler = entry_point(FindDecisionEnvironment, build)
