"""Explains one recorded decision, and stores the explanation in the complaint's story."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.explainer import explainer
from runtime.function import Handler, entry_point, keeps
from triage.functions import EXPLAIN, ExplainEnvironment

logger = Logger(service="explain")


def build(environment: ExplainEnvironment, session: boto3.Session) -> Handler:
    return keeps(EXPLAIN, explainer(environment, session, logger), logger)


handler = entry_point(ExplainEnvironment, build)
