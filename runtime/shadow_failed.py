"""Records that a shadow gave no prediction: evidence about the challenger, and no outage of triage."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.failures import record_failure
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.functions import SHADOW_FAILED, ShadowFailedEnvironment
from triage.steps import Outcome, ShadowFailure

logger = Logger(service="shadow_failed")


def build(environment: ShadowFailedEnvironment, session: boto3.Session) -> Handler:
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)

    def record(failure: ShadowFailure) -> Outcome:
        record_failure(story, failure, complaint_id=failure.complaint_id, environment=environment, logger=logger)
        return Outcome(model=failure.model, error=failure.error)

    return keeps(SHADOW_FAILED, record, logger)


handler = entry_point(ShadowFailedEnvironment, build)
