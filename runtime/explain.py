"""Explains one recorded decision with the model that made it, and stores the explanation in the complaint's story."""

from datetime import UTC, datetime
from typing import Final

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Condition, Table, write_together
from runtime.adapters.narratives import Narratives
from runtime.adapters.predictor import loaded_models
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.errors import ComplaintMissingError
from triage.explanation.decision import explained
from triage.functions import EXPLAIN, ExplainEnvironment
from triage.outbox import expiry
from triage.steps import ExplanationStored, ExplanationTask
from triage.story import ExplanationEntry

logger = Logger(service="explain")

ATTEMPTS: Final = 5
"""Other writers may interfere with a transaction for a moment."""


def build(environment: ExplainEnvironment, session: boto3.Session) -> Handler:
    narratives = Narratives(environment, session, purpose="explanation", logger=logger)
    complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    stories = Stories(environment, session)
    models = loaded_models(environment, session)

    def store(entry: ExplanationEntry) -> None:
        """Write an explanation, unless the complaint was erased while its model was asked.

        Raises: ComplaintMissingError.
        """
        exists = complaints.to_check(
            entry.complaint_id, condition=Condition("attribute_exists(#id)", id="complaint_id")
        )
        for _ in range(ATTEMPTS):
            if write_together(complaints.client, [stories.to_record(entry), exists]):
                return
            if stories.has(entry.complaint_id, entry.entry):
                # The same request was explained at the same time.
                return
        raise ComplaintMissingError(f"{entry.complaint_id} was erased while it was explained; nothing was stored")

    def explain(task: ExplanationTask) -> ExplanationStored:
        complaint_id = task.request.complaint_id
        key = ExplanationEntry.key(task.request.task, task.request.request_id)
        # A repeated request gets the stored record, and reads neither model nor narrative.
        if not stories.has(complaint_id, key):
            complaint = narratives.read(complaint_id, requester=task.request.requester)
            loaded, now = models.get(task.model), datetime.now(UTC)
            entry = explained(
                task,
                stories.read(complaint_id),
                complaint,
                engine=loaded.engine,
                manifest=loaded.manifest,
                now=now,
                code_version=environment.code_version,
                expires_at=expiry(now, environment.retention_days),
            )
            store(entry)
        return ExplanationStored(complaint_id=complaint_id, entry=key)

    return step_handler(EXPLAIN, explain, logger)


handler = entry_point(ExplainEnvironment, build)
