"""One registered model judges one complaint, and records what it said."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.judge import judge
from runtime.function import Handler, entry_point, keeps
from triage.functions import MODEL_INFERENCE, ModelInferenceEnvironment

logger = Logger(service="model_inference")


def build(environment: ModelInferenceEnvironment, session: boto3.Session) -> Handler:
    return keeps(MODEL_INFERENCE, judge(environment, session, logger), logger)


handler = entry_point(ModelInferenceEnvironment, build)
