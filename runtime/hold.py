"""Places and lifts legal holds."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.legal_holds import LegalHolds
from runtime.function import Handler, entry_point, step_handler
from triage.functions import HOLD, HoldEnvironment

logger = Logger(service="hold")


def build(environment: HoldEnvironment, session: boto3.Session) -> Handler:
    return step_handler(HOLD, LegalHolds(environment, session).change, logger)


handler = entry_point(HoldEnvironment, build)
