"""Tries one mirrored model on letters of its own, where and as it would be served, before it may take part.

It reads no complaint. It raises what is wrong with the model, and the mirror writes that into the model's row.
"""

import tempfile
from pathlib import Path

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.bundles import S3Bundles
from runtime.adapters.scratch import scratch
from runtime.function import Handler, entry_point, step_handler
from triage.functions import TRY_MODEL, TryModelEnvironment
from triage.inference.models import LoadedModels
from triage.inference.trial import try_out
from triage.steps import Trial, Tried

logger = Logger(service="try_model")


def build(environment: TryModelEnvironment, session: boto3.Session) -> Handler:
    bundles = S3Bundles(session.client("s3"), environment.bundles_bucket)

    def tried(trial: Trial) -> Tried:
        # Loaded for this once: the next trial is of another model.
        with tempfile.TemporaryDirectory(dir=scratch("trial")) as name:
            models = LoadedModels(bundles, folder=Path(name), capacity=1, megabytes=environment.loaded_megabytes)
            loaded = models.get(trial.model)
            try_out(loaded.engine, loaded.manifest)
        return Tried(model=trial.model)

    return step_handler(TRY_MODEL, tried, logger)


handler = entry_point(TryModelEnvironment, build)
