"""A registered model judges a complaint, for every function that asks one: its prediction is recorded once."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.bundles import S3Bundles
from runtime.adapters.dynamodb import Table
from runtime.adapters.narratives import Narratives
from triage import tables
from triage.complaint import Complaint, timestamp
from triage.functions import ModelInferenceEnvironment
from triage.inference.classify import classify
from triage.inference.models import LoadedModels
from triage.outbox import expiry
from triage.steps import InferenceRequest, Outcome
from triage.story import PredictionEntry, Probability


def judge(
    environment: ModelInferenceEnvironment, session: boto3.Session, logger: Logger
) -> Callable[[InferenceRequest], Outcome]:
    client = session.client("dynamodb")
    complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    narratives = Narratives(complaints, purpose="inference", logger=logger)
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    models = LoadedModels(
        S3Bundles(session.client("s3"), environment.bundles_bucket),
        # A folder of its own: other functions may share the temporary folder, and must not share bundles.
        folder=Path(tempfile.mkdtemp(prefix="bundles-")),
        capacity=environment.loaded_models,
        megabytes=environment.loaded_megabytes,
    )

    def infer(request: InferenceRequest) -> Outcome:
        # A retry replays what was recorded: one model says one thing about one complaint.
        if story.get(request.complaint_id, PredictionEntry.key(request.model)) is None:
            complaint = Complaint.read(narratives.read(request.complaint_id, model=request.model.version))
            story.put_if_absent(_predict(complaint, request, models, environment))
        return Outcome(model=request.model, instead_of=request.instead_of)

    return infer


def _predict(
    complaint: Complaint, request: InferenceRequest, models: LoadedModels, environment: ModelInferenceEnvironment
) -> PredictionEntry:
    loaded = models.get(request.model)
    started = time.perf_counter()
    answer = classify(complaint.narrative, engine=loaded.engine, manifest=loaded.manifest)
    milliseconds = (time.perf_counter() - started) * 1000
    now = datetime.now(UTC)
    return PredictionEntry(
        complaint_id=complaint.complaint_id,
        entry=PredictionEntry.key(request.model),
        code_version=environment.code_version,
        expires_at=expiry(now, environment.retention_days),
        model=request.model,
        model_version=request.model.version,
        predicted_at=timestamp(now),
        label=answer.label,
        confidence=answer.confidence,
        top=tuple(Probability(label=label, probability=probability) for label, probability in answer.top),
        tokens_seen=answer.tokens_seen,
        tokens_total=answer.tokens_total,
        thresholds=loaded.manifest.thresholds,
        temperature=loaded.manifest.calibration.temperature,
        positive_label=loaded.manifest.positive_label,
        taxonomy_version=loaded.manifest.taxonomy_version,
        weights_sha256=loaded.manifest.weights_sha256,
        milliseconds=round(milliseconds, 2),
    )
