"""Records that a shadow model gave no prediction. This counts against the challenger and does not stop triage."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.failures import record_failure
from runtime.adapters.metrics import Metrics
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage.functions import SHADOW_FAILED, ShadowFailedEnvironment
from triage.steps import Outcome, ShadowFailure

logger = Logger(service="shadow_failed")


def build(environment: ShadowFailedEnvironment, session: boto3.Session) -> Handler:
    stories = Stories(environment, session)
    metrics = Metrics(environment)

    def record(failure: ShadowFailure) -> Outcome:
        record_failure(failure, complaint_id=failure.complaint_id, stories=stories, metrics=metrics, logger=logger)
        return Outcome(model=failure.model, error=failure.error)

    return step_handler(SHADOW_FAILED, record, logger)


handler = entry_point(ShadowFailedEnvironment, build)
