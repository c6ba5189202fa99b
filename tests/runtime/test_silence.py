"""The narrative stays in its table: no log line, error, state, story or message repeats it, whatever happens."""

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from runtime import allocate, intake, mirror, model_inference, select_models, shadow_failed, shadow_inference, sweep
from runtime.function import Handler
from tests.factories import any_item, any_model_info, any_model_reference, any_revision
from tests.runtime.conftest import Cloud, failing, stream_records
from triage.functions import Environment
from triage.outbox import STARTED
from triage.tables import COMPLAINTS_ALLOCATION, MODEL_INFO, RAW_COMPLAINTS

MARKER = "XYZZYMARKER"
REFUSED = ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "any")
DOWN = EndpointConnectionError(endpoint_url="https://s3")

COMPLAINTS: list[dict[str, Any]] = [
    any_item(narrative=f"My mortgage {MARKER}. I am a veteran."),
    any_item(narrative=MARKER * 5_000),
    any_item(narrative={"text": MARKER}),
    any_item(narrative=[MARKER]),
    any_item(narrative=f"\x00{MARKER}\ufffe", tags={"odd": MARKER}, customer_id=[MARKER], account_vulnerable=MARKER),
    any_item(narrative=MARKER, note=MARKER),
]


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that any logger says at its usual level, as it is formatted for CloudWatch."""
    written = io.StringIO()
    handlers = []
    for module in (
        allocate,
        intake,
        mirror,
        model_inference,
        select_models,
        shadow_failed,
        shadow_inference,
        sweep,
    ):
        handler = logging.StreamHandler(written)
        handler.setFormatter(module.logger.registered_formatter)
        module.logger.addHandler(handler)
        handlers.append((module.logger, handler))
    plain = logging.StreamHandler(written)
    logging.getLogger().addHandler(plain)
    yield written
    logging.getLogger().removeHandler(plain)
    for logger, handler in handlers:
        logger.removeHandler(handler)


def outcome(handler: Handler, event: dict[str, Any]) -> str:
    """What a handler gave or how it failed, in full."""
    try:
        return json.dumps(handler(event, None), default=str)
    except Exception as error:
        return "".join(traceback.format_exception(error)) + repr(error.args)


@pytest.mark.parametrize("item", COMPLAINTS)
def test_no_handler_repeats_a_narrative(cloud: Cloud, tmp_path, capsys, logged, dead_endpoint, item):
    reference = cloud.mirrored(tmp_path)
    row = any_model_info(revision=reference.revision)
    assert row.bundle is not None
    bundle = row.bundle.model_copy(update={"manifest_sha256": reference.manifest_sha256})
    cloud.table(MODEL_INFO).put(row.model_copy(update={"bundle": bundle}))
    cloud.table(MODEL_INFO).put(any_model_info(model_id="acme/x", revision=any_revision("x"), bundle=None))
    complaints = cloud.table(RAW_COMPLAINTS)
    complaints.put(item)
    key = {"complaint_id": item["complaint_id"]}
    heard: list[str] = []

    def hear(build: Callable[..., Handler], told: Environment, session: boto3.Session, event: dict[str, Any]) -> None:
        heard.append(outcome(build(told, session), event))

    refused, no_store, intact = cloud.session(), cloud.session(), cloud.session()
    for operation in ("dynamodb.UpdateItem", "dynamodb.PutItem", "sfn.StartExecution", "sqs.SendMessage"):
        failing(refused, operation, REFUSED)
    failing(no_store, "s3.GetObject", DOWN)
    missing = any_model_reference(revision=any_revision("missing"))
    for session in (refused, no_store, intact):
        hear(intake.build, cloud.intake, session, stream_records(key))
        hear(select_models.build, cloud.select_models, session, key)
        for model in (missing, reference):
            request = {**key, "model": model.model_dump(mode="json")}
            hear(model_inference.build, cloud.model_inference, session, request)
            hear(shadow_inference.build, cloud.shadow_inference, session, request)
            hear(shadow_failed.build, cloud.shadow_failed, session, {**request, "error": "ModelFailedError"})
        request = {**key, "started_at": "2026-03-02T09:29:57Z", "outcomes": [{"model": reference.model_dump()}]}
        hear(allocate.build, cloud.allocate, session, request)
        hear(select_models.build, cloud.select_models, session, {**key, "narrative": MARKER})
        hear(sweep.build, cloud.sweep, session, {"scope": "all", "text": MARKER})
    keys = {"model_id": "acme/x", "revision": any_revision("x")}
    hear(mirror.build, cloud.mirror(dead_endpoint), intact, stream_records(keys))
    cloud.end_executions()
    seen = complaints.get(item["complaint_id"])
    complaints.put(
        {**(seen or {}), "triage_started_at": "2020-01-01T00:00:00.000Z", "triage_attempts": 3, "triage_state": STARTED}
    )
    for session in (refused, intact):
        hear(sweep.build, cloud.sweep, session, {"scope": "all"})

    story = list(cloud.table(COMPLAINTS_ALLOCATION).query(item["complaint_id"]))
    assert {"SELECTION", "ALLOCATION"} <= {entry["entry"] for entry in story}, "the handlers did their work"
    executions = cloud.session().client("stepfunctions").list_executions(stateMachineArn=cloud.state_machine_arn)
    printed = capsys.readouterr()
    for text in (
        logged.getvalue(),
        printed.out,
        printed.err,
        json.dumps(executions, default=str),
        json.dumps(story, default=str),
        *cloud.messages(),
        *heard,
    ):
        # Cause and context of an error are part of its trace; lines of this file would show the name alone.
        assert MARKER not in text
    assert "complaint_id" in logged.getvalue()
