"""Asks one shadow model about a complaint that is already allocated. Its prediction decides nothing."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.predictor import predictor
from runtime.function import Handler, entry_point, step_handler
from triage.functions import SHADOW_INFERENCE, ShadowInferenceEnvironment

logger = Logger(service="shadow_inference")


def build(environment: ShadowInferenceEnvironment, session: boto3.Session) -> Handler:
    return step_handler(SHADOW_INFERENCE, predictor(environment, session, logger), logger)


handler = entry_point(ShadowInferenceEnvironment, build)
