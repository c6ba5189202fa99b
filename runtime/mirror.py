"""Mirrors the bundle of each model that is added to `model_info`: fetched by commit, verified, copied to S3, and tried.

A copy of the row is stored with the bundle. If somebody later edits an attribute that may not change, it is put back.
"""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from pydantic import ValidationError

from runtime.adapters.bundles import S3Bundles
from runtime.adapters.dynamodb import Condition, Table
from runtime.adapters.hub import Hub
from runtime.adapters.metrics import Metrics
from runtime.adapters.scratch import scratch
from runtime.adapters.trials import ANSWERS_WITHIN, Trials
from runtime.function import Handler, entry_point
from triage import tables
from triage.bundle import Engine, Manifest, describe
from triage.complaint import timestamp
from triage.errors import BundleTooLargeError, BundleUnavailableError, RegistryError, TriageError
from triage.functions import MirrorEnvironment
from triage.metrics import Metric
from triage.steps import ModelReference
from triage.strategies.registry import MirroredBundle, ModelInfo, fixed_attributes
from triage.validation import problems

logger = Logger(service="mirror")
LONGEST_FAILURE: Final = 1_000
"""Characters. A reason may quote a name of the bundle, and a row must stay small."""

ABSENT: Final = Condition("attribute_not_exists(#id)", id="model_id")
REGISTERED: Final = frozenset({"model_id", "revision", "task", "registered_at", "registered_by"})
"""The attributes that a registration writes. A row with no others was not mirrored since."""
PRESENT: Final = Condition("attribute_exists(#id)", id="model_id")


def build(environment: MirrorEnvironment, session: boto3.Session) -> Handler:
    metrics = Metrics(environment)
    models = Table(session.client("dynamodb"), tables.MODEL_INFO, environment.model_info_table)
    bundles = S3Bundles(session.client("s3"), environment.bundles_bucket)
    hub = Hub(
        environment.hub_endpoint,
        token=_token(environment, session),
        max_bytes=environment.max_bundle_megabytes * 1_000_000,
    )

    # A trial that took too long is not repeated: the model is refused.
    patient = Config(read_timeout=ANSWERS_WITHIN, retries={"total_max_attempts": 1})
    trials = Trials(session.client("lambda", config=patient), environment.trials)

    def mirror_new(event: dict[str, Any], context: object) -> None:
        for record in event["Records"]:
            keys = record["dynamodb"]["Keys"]
            model_id, revision = keys["model_id"]["S"], keys["revision"]["S"]
            try:
                _process(model_id, revision, models, hub, bundles, trials, metrics, environment.largest)
            except Exception:
                # Raising would block the rows behind this one. Registering the model again retries it.
                logger.exception("row not processed", extra={"model_id": model_id, "revision": revision})

    return mirror_new


def _token(environment: MirrorEnvironment, session: boto3.Session) -> str | None:
    if environment.hub_token_secret is None:
        return None
    secrets = session.client("secretsmanager")
    token: str = secrets.get_secret_value(SecretId=environment.hub_token_secret)["SecretString"]
    return token


def _process(
    model_id: str,
    revision: str,
    models: Table,
    hub: Hub,
    bundles: S3Bundles,
    trials: Trials,
    metrics: Metrics,
    largest: Mapping[Engine, int],
) -> None:
    row = models.get(model_id, revision)
    unmirrored = row is not None and "bundle" not in row and "failure" not in row
    try:
        registration = bundles.registration(model_id, revision)
    except BundleUnavailableError as error:
        if not unmirrored:
            raise
        _store_outcome(model_id, revision, {"failure": f"{type(error).__name__}: {error}"}, models)
        return
    if registration is not None:
        _revert_edits(registration, row, models, metrics)
    elif row is not None and unmirrored:
        _mirror_row(row, models, hub, bundles, trials, largest)


def _revert_edits(registration: ModelInfo, row: dict[str, Any] | None, models: Table, metrics: Metrics) -> None:
    """Put back attributes that may not change. A deleted row comes back as `registered`, so it does not take part."""
    model_id, revision = key = registration.model_id, registration.revision
    right = fixed_attributes(registration.model_dump(mode="json", exclude_none=True))
    found = fixed_attributes(row or {})
    edited = sorted(name for name in {*found, *right} if found.get(name) != right.get(name))
    if not edited:
        return
    same_task = found.get("task") == right.get("task")
    if found.keys() <= REGISTERED and same_task and found.get("registered_at") != right.get("registered_at"):
        # Its row was deleted, and somebody has registered the model again: nothing was edited.
        logger.info("registered again", extra={"model_id": model_id, "revision": revision})
    else:
        logger.error("edited row put back", extra={"model_id": model_id, "revision": revision, "edited": edited})
        metrics.measure(Metric.REGISTRY_EDITED)
    assign = {name: right[name] for name in edited if name in right and name not in ("model_id", "revision")}
    # Somebody who writes the row meanwhile starts this function again.
    if row is None:
        models.update(*key, assign=assign | {"state": "registered"}, condition=ABSENT)
    else:
        surplus = tuple(name for name in edited if name not in right)
        models.update(*key, assign=assign, remove=surplus, condition=PRESENT)


def _mirror_row(
    row: dict[str, Any], models: Table, hub: Hub, bundles: S3Bundles, trials: Trials, largest: Mapping[Engine, int]
) -> None:
    """Mirror a model, or write what is wrong with it into its row, where the person who registered it sees it."""
    model_id, revision = row["model_id"], row["revision"]
    try:
        model = ModelInfo.model_validate(row)
        bundle = mirror(model, hub, bundles, largest=largest)
        trials.try_out(
            ModelReference(
                task=model.task,
                model_id=model_id,
                revision=revision,
                engine=bundle.engine,
                manifest_sha256=bundle.manifest_sha256,
            )
        )
        bundles.store_registration(model.model_copy(update={"bundle": bundle}))
        outcome: dict[str, Any] = {"bundle": bundle}
    except ValidationError as error:
        outcome = {"failure": problems(error, "row")}
    except TriageError as error:
        outcome = {"failure": f"{type(error).__name__}: {error}"}
    except Exception as error:
        outcome = {"failure": f"unexpected {type(error).__name__}; the log of the mirror function has its trace"}
        logger.exception("mirroring failed", extra={"model_id": model_id, "revision": revision})
    _store_outcome(model_id, revision, outcome, models)


def _store_outcome(model_id: str, revision: str, outcome: dict[str, Any], models: Table) -> None:
    if "failure" in outcome:
        outcome = {"failure": shorten(outcome["failure"])}
    models.update(model_id, revision, assign=outcome, condition=PRESENT)
    logger.info("mirrored", extra={"model_id": model_id, "revision": revision, "failure": outcome.get("failure")})


def shorten(reason: str) -> str:
    return reason if len(reason) <= LONGEST_FAILURE else f"{reason[: LONGEST_FAILURE - 1]}…"


def mirror(model: ModelInfo, hub: Hub, bundles: S3Bundles, *, largest: Mapping[Engine, int]) -> MirroredBundle:
    """Copy the bundle of one Hub commit into the bundles bucket.

    largest: how many megabytes of files the functions of each engine can load.

    Raises:
        RegistryError: the bundle is for another task.
        BundleUnavailableError: the Hub or the bucket does not answer.
        BundleRefusedError: its files are unsafe, altered, or more than the functions can load.
    """
    with tempfile.TemporaryDirectory(dir=scratch("mirror")) as name:
        folder = Path(name)
        hub.download(model.model_id, model.revision, folder)
        manifest = describe(folder)
        if manifest.task not in (None, model.task):
            raise RegistryError(
                f"the bundle is for the task {manifest.task}, but was registered for {model.task}; "
                f"register it for {manifest.task}"
            )
        _refuse_unless_it_fits(manifest, largest[manifest.engine])
        bundles.store(folder, manifest, model_id=model.model_id, revision=model.revision)
    return MirroredBundle.of(manifest, mirrored_at=timestamp(datetime.now(UTC)))


def _refuse_unless_it_fits(manifest: Manifest, megabytes: int) -> None:
    size = manifest.served_size / 1e6
    if size > megabytes:
        raise BundleTooLargeError(
            f"the {manifest.engine} engine would load {size:.0f} MB, and its functions have memory for {megabytes} MB; "
            "register a smaller model, or one with int8 weights as ONNX"
        )


handler = entry_point(MirrorEnvironment, build)
