"""Reads the complaint, and decides once which models judge it."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from pydantic import ValidationError

from runtime.adapters.dynamodb import Item, Table, valid_rows
from runtime.adapters.metrics import measure
from runtime.adapters.narratives import Narratives
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.complaint import Complaint
from triage.environment import SelectModelsEnvironment
from triage.metrics import Metric
from triage.outbox import expiry
from triage.selection import select_models
from triage.steps import SELECT_MODELS, ExecutionInput, Selected
from triage.story import SELECTION, SelectionEntry
from triage.strategies.in_force import strategies_in_force
from triage.strategies.registry import TAKING_PART, ModelInfo
from triage.validation import problems

logger = Logger(service="select_models")


def build(environment: SelectModelsEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    narratives = Narratives(complaints, purpose="selection", logger=logger)
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    models = Table(client, tables.MODEL_INFO, environment.model_info_table)
    strategies = Table(client, tables.MODEL_STRATEGY, environment.model_strategy_table)

    def select(request: ExecutionInput) -> Selected:
        recorded = story.get(request.complaint_id, SELECTION)
        if recorded is not None:
            return _selected(SelectionEntry.model_validate(recorded))
        complaint = Complaint.read(narratives.read(request.complaint_id))
        now = datetime.now(UTC)
        active = list(
            valid_rows(
                (row for state in TAKING_PART for row in models.query(state, index="by_state")),
                ModelInfo,
                on_bad=_report_bad_row,
            )
        )
        found = strategies_in_force(strategies.scan(), active)
        for task, problem in found.refused.items():
            _report(task, problem)
        selection = select_models(
            complaint,
            active=active,
            strategies=found.strategies,
            now=now,
            code_version=environment.code_version,
        ).model_copy(update={"expires_at": expiry(now, environment.retention_days)})
        if story.put_if_absent(selection):
            if selection.missing_shadows:
                logger.warning("shadows skipped", extra={"shadows": selection.missing_shadows})
            return _selected(selection)
        # Another execution of this complaint was faster: its selection counts.
        return select(request)

    return keeps(SELECT_MODELS, select, logger)


def _selected(selection: SelectionEntry) -> Selected:
    return Selected(complaint_id=selection.complaint_id, models=selection.models)


def _report(task: str, problem: str) -> None:
    """An alarm watches this metric."""
    logger.error("bad strategy not followed", extra={"task": task, "problem": problem})
    measure(Metric.STRATEGY_REFUSED)


def _report_bad_row(row: Item, error: ValidationError) -> None:
    logger.error("bad row of model_info ignored", extra={"problem": problems(error, "row")})


handler = entry_point(SelectModelsEnvironment, build)
