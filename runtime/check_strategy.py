"""Checks, after a change, that triage reads the strategy that was written, and that its champion takes part."""

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.strategies import taking_part
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.errors import NotServedError
from triage.functions import CHECK_STRATEGY, CheckStrategyEnvironment
from triage.promotion.steps import Changed
from triage.strategies.in_force import strategies_in_force

logger = Logger(service="check_strategy")


def build(environment: CheckStrategyEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    models = Table(client, tables.MODEL_INFO, environment.model_info_table)
    strategies = Table(client, tables.MODEL_STRATEGY, environment.model_strategy_table)

    def check(changed: Changed) -> Changed:
        active = taking_part(models)
        found = strategies_in_force(strategies.scan(), active)
        row = found.strategies.get(changed.task)
        if changed.task in found.refused or row is None or row.version < changed.strategy_version:
            raise NotServedError(f"{changed.task}: version {changed.strategy_version} was written, but is not in force")
        champion = row.strategy.champion_arm.version
        if not any(model.version == champion and model.takes_part for model in active):
            raise NotServedError(f"{champion} is the champion of {changed.task}, but does not take part")
        return changed

    return step_handler(CHECK_STRATEGY, check, logger)


handler = entry_point(CheckStrategyEnvironment, build)
