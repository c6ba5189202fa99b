"""Starts one execution of the promotion state machine for each task that has challengers."""

from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.executions import Executions
from runtime.adapters.strategies import current_strategies
from runtime.function import Handler, entry_point
from triage import tables
from triage.functions import SchedulePromotionsEnvironment
from triage.promotion.steps import Due

logger = Logger(service="schedule_promotions")


def build(environment: SchedulePromotionsEnvironment, session: boto3.Session) -> Handler:
    strategies = Table(session.client("dynamodb"), tables.MODEL_STRATEGY, environment.model_strategy_table)
    executions = Executions(session.client("stepfunctions"), environment.promotion_machine_arn)

    def schedule(event: dict[str, Any], context: object) -> list[str]:
        due = sorted(row.task for row in current_strategies(strategies) if row.strategy.is_experiment)
        minute = f"{datetime.now(UTC):%Y%m%dT%H%M}"
        for task in due:
            # The name allows one execution per task and minute, even if the schedule is delivered twice.
            executions.start(Due(task=task), f"{task}-{minute}")
        logger.info("scheduled", extra={"tasks": due})
        return due

    return schedule


handler = entry_point(SchedulePromotionsEnvironment, build)
