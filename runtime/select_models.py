"""Reads a complaint, and decides once which models are asked about it."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from pydantic import ValidationError

from runtime.adapters.dynamodb import Item, Table, valid_rows
from runtime.adapters.metrics import Metrics
from runtime.adapters.narratives import Narratives
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.functions import SELECT_MODELS, SelectModelsEnvironment
from triage.metrics import Metric
from triage.selection import select_models
from triage.steps import ExecutionInput, Selected
from triage.story import SELECTION, SelectionEntry
from triage.strategies.in_force import strategies_in_force
from triage.strategies.registry import TAKING_PART, ModelInfo
from triage.validation import problems

logger = Logger(service="select_models")


def build(environment: SelectModelsEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    narratives = Narratives(environment, session, purpose="selection", logger=logger)
    stories = Stories(environment, session)
    metrics = Metrics(environment)
    models = Table(client, tables.MODEL_INFO, environment.model_info_table)
    strategies = Table(client, tables.MODEL_STRATEGY, environment.model_strategy_table)

    def select(request: ExecutionInput) -> Selected:
        recorded = stories.get(SelectionEntry, request.complaint_id, SELECTION)
        if recorded is not None:
            return _selected(recorded)
        complaint = narratives.read(request.complaint_id)
        active = list(
            valid_rows(
                (row for state in TAKING_PART for row in models.query(state, index="by_state")),
                ModelInfo,
                on_bad=_report_bad_row,
            )
        )
        found = strategies_in_force(strategies.scan(), active)
        for task, problem in found.refused.items():
            logger.error("bad strategy not followed", extra={"task": task, "problem": problem})
            metrics.measure(Metric.STRATEGY_REFUSED)
        selection = select_models(
            complaint,
            active=active,
            strategies=found.strategies,
            now=datetime.now(UTC),
            code_version=environment.code_version,
        )
        if not stories.add(selection):
            # Another execution of this complaint was faster: its selection counts.
            return select(request)
        if selection.missing_shadows:
            logger.warning("shadows skipped", extra={"shadows": selection.missing_shadows})
        return _selected(selection)

    return step_handler(SELECT_MODELS, select, logger)


def _selected(selection: SelectionEntry) -> Selected:
    return Selected(complaint_id=selection.complaint_id, models=selection.models)


def _report_bad_row(row: Item, error: ValidationError) -> None:
    logger.error("bad row of model_info ignored", extra={"problem": problems(error, "row")})


handler = entry_point(SelectModelsEnvironment, build)
