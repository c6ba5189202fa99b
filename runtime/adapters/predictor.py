"""Registered models, loaded from the bundles bucket, and the predictions they make of complaints."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.bundles import S3Bundles
from runtime.adapters.narratives import Narratives
from runtime.adapters.scratch import scratch
from runtime.adapters.story import Stories
from triage.complaint import Complaint, timestamp
from triage.functions import ModelInferenceEnvironment
from triage.inference.classify import classify
from triage.inference.models import LoadedModels
from triage.steps import InferenceRequest, Outcome
from triage.story import PredictionEntry, Probability


def loaded_models(environment: ModelInferenceEnvironment, session: boto3.Session) -> LoadedModels:
    return LoadedModels(
        S3Bundles(session.client("s3"), environment.bundles_bucket),
        # A folder of its own: on the model server, functions share a process and must not share bundles.
        folder=Path(tempfile.mkdtemp(dir=scratch("bundles"))),
        capacity=environment.loaded_models,
        megabytes=environment.loaded_megabytes,
    )


def predictor(
    environment: ModelInferenceEnvironment, session: boto3.Session, logger: Logger
) -> Callable[[InferenceRequest], Outcome]:
    """Return the step that asks one model about one complaint and records its prediction.

    A retry keeps the recorded prediction: a model version predicts a complaint once.
    """
    narratives = Narratives(environment, session, purpose="inference", logger=logger)
    stories = Stories(environment, session)
    models = loaded_models(environment, session)

    def predict(request: InferenceRequest) -> Outcome:
        if not stories.has(request.complaint_id, PredictionEntry.key(request.model)):
            complaint = narratives.read(request.complaint_id, model=request.model.version)
            stories.add(_prediction(complaint, request, models, environment.code_version))
        return Outcome(model=request.model, instead_of=request.instead_of)

    return predict


def _prediction(
    complaint: Complaint, request: InferenceRequest, models: LoadedModels, code_version: str
) -> PredictionEntry:
    loaded = models.get(request.model)
    manifest = loaded.manifest
    started = time.perf_counter()
    answer = classify(complaint.narrative, engine=loaded.engine, manifest=manifest)
    milliseconds = (time.perf_counter() - started) * 1000
    return PredictionEntry(
        complaint_id=complaint.complaint_id,
        entry=PredictionEntry.key(request.model),
        code_version=code_version,
        model=request.model,
        model_version=request.model.version,
        predicted_at=timestamp(datetime.now(UTC)),
        label=answer.label,
        confidence=answer.confidence,
        top=tuple(Probability(label=label, probability=probability) for label, probability in answer.top),
        tokens_seen=answer.tokens_seen,
        tokens_total=answer.tokens_total,
        thresholds=manifest.thresholds,
        temperature=manifest.calibration.temperature,
        positive_label=manifest.positive_label,
        taxonomy_version=manifest.taxonomy_version,
        weights_sha256=manifest.weights_sha256,
        milliseconds=round(milliseconds, 2),
    )
