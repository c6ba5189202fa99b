"""Finds the model whose decision is to be explained."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.story import StoryReader
from runtime.function import Handler, entry_point, step_handler
from triage.errors import NothingToExplainError
from triage.explanation.selected import deciding_model
from triage.functions import FIND_DECISION, FindDecisionEnvironment
from triage.steps import ExplanationRequest, ExplanationTask
from triage.story import ALLOCATION, AllocationEntry

logger = Logger(service="find_decision")


def build(environment: FindDecisionEnvironment, session: boto3.Session) -> Handler:
    stories = StoryReader(environment, session)

    def find(request: ExplanationRequest) -> ExplanationTask:
        allocation = stories.get(AllocationEntry, request.complaint_id, ALLOCATION)
        if allocation is None:
            raise NothingToExplainError(
                f"{request.complaint_id} was not allocated, so there is no decision to explain; "
                "check the complaint's id, or wait for its allocation"
            )
        return ExplanationTask(request=request, model=deciding_model(allocation, task=request.task))

    return step_handler(FIND_DECISION, find, logger)


handler = entry_point(FindDecisionEnvironment, build)
