"""Asks one registered model about one complaint, and records its prediction."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.predictor import predictor
from runtime.function import Handler, entry_point, step_handler
from triage.functions import MODEL_INFERENCE, ModelInferenceEnvironment

logger = Logger(service="model_inference")


def build(environment: ModelInferenceEnvironment, session: boto3.Session) -> Handler:
    return step_handler(MODEL_INFERENCE, predictor(environment, session, logger), logger)


handler = entry_point(ModelInferenceEnvironment, build)
