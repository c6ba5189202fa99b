"""One shadow judges one complaint that is allocated already, and records what it said beside the answer."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.judge import judge
from runtime.function import Handler, entry_point, keeps
from triage.functions import SHADOW_INFERENCE, ShadowInferenceEnvironment

logger = Logger(service="shadow_inference")


def build(environment: ShadowInferenceEnvironment, session: boto3.Session) -> Handler:
    return keeps(SHADOW_INFERENCE, judge(environment, session, logger), logger)


handler = entry_point(ShadowInferenceEnvironment, build)
