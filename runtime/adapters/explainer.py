"""The recorded decision of a model, explained by that very model: each request is answered by one record."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.bundles import S3Bundles
from runtime.adapters.dynamodb import Table
from runtime.adapters.narratives import Narratives
from triage import tables
from triage.complaint import Complaint
from triage.explanation.decision import explained
from triage.functions import ExplainEnvironment
from triage.inference.models import LoadedModels
from triage.outbox import expiry
from triage.steps import ExplanationStored, ExplanationTask
from triage.story import ExplanationEntry


def explainer(
    environment: ExplainEnvironment, session: boto3.Session, logger: Logger
) -> Callable[[ExplanationTask], ExplanationStored]:
    client = session.client("dynamodb")
    complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    narratives = Narratives(complaints, purpose="explanation", logger=logger)
    stories = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    models = LoadedModels(
        S3Bundles(session.client("s3"), environment.bundles_bucket),
        folder=Path(tempfile.mkdtemp(prefix="bundles-")),
        capacity=environment.loaded_models,
        megabytes=environment.loaded_megabytes,
    )

    def explain(task: ExplanationTask) -> ExplanationStored:
        complaint_id = task.request.complaint_id
        key = ExplanationEntry.key(task.request.task, task.request.request_id)
        # The same request is answered by the record that there is, without asking for model or text.
        if stories.get(complaint_id, key) is None:
            complaint = Complaint.read(narratives.read(complaint_id, requester=task.request.requester))
            loaded, now = models.get(task.model), datetime.now(UTC)
            entry = explained(
                task,
                {str(entry["entry"]): entry for entry in stories.query(complaint_id)},
                complaint,
                engine=loaded.engine,
                manifest=loaded.manifest,
                now=now,
                code_version=environment.code_version,
                expires_at=expiry(now, environment.retention_days),
            )
            stories.put_if_absent(entry)
        return ExplanationStored(complaint_id=complaint_id, entry=key)

    return explain
