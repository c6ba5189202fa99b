"""Makes or proposes the change that follows from the evidence, in one transaction with its entry in the ledger."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.strategies import Strategies
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.functions import CHANGE_STRATEGY, ChangeStrategyEnvironment
from triage.promotion.engine import requested_change
from triage.promotion.steps import Changed, Weighed

logger = Logger(service="change_strategy")


def build(environment: ChangeStrategyEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    strategies = Strategies(
        Table(client, tables.MODEL_INFO, environment.model_info_table),
        Table(client, tables.MODEL_STRATEGY, environment.model_strategy_table),
        Table(client, tables.CHAMPION_LEDGER, environment.champion_ledger_table),
    )

    def make(weighed: Weighed) -> Changed:
        change = requested_change(weighed, second_approver=environment.second_approver)
        _, entry = strategies.change(change, replaces=weighed.strategy_version)
        return Changed.of(entry)

    return step_handler(CHANGE_STRATEGY, make, logger)


handler = entry_point(ChangeStrategyEnvironment, build)
