"""No log line, error, state, story or message contains the narrative, whatever happens."""

import io
import json
import logging
import traceback
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import runtime
from runtime.adapters import predictor
from tests.factories import (
    any_allocation,
    any_decision,
    any_explanation_request,
    any_feedback,
    any_item,
    any_model_info,
    any_model_reference,
    any_revision,
)
from tests.runtime.conftest import Cloud, failing, stream_records
from triage.feedback import INBOX, FeedbackRow
from triage.functions import Environment
from triage.inference.models import LoadedModels
from triage.outbox import STARTED
from triage.steps import ModelReference
from triage.story import SELECTION
from triage.tables import COMPLAINTS_ALLOCATION, MODEL_INFO, RAW_COMPLAINTS

MARKER = "XYZZYMARKER"
REFUSED = ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "any")
DOWN = EndpointConnectionError(endpoint_url="https://s3")
MODULES = {
    path.stem: module
    for path in sorted(Path(runtime.__path__[0]).glob("*.py"))
    if hasattr(module := import_module(f"runtime.{path.stem}"), "handler")
}
GIVE_WORDS = {"deliver_explanation", "read_narrative"}
"""Their results hold the customer's words, because a person asked for them. Everything else of them is silent."""

COMPLAINTS: list[dict[str, Any]] = [
    any_item(narrative=f"My mortgage {MARKER}. I am a veteran."),
    any_item(narrative=MARKER * 5_000),
    any_item(narrative={"text": MARKER}),
    any_item(narrative=[MARKER]),
    any_item(narrative=f"\x00{MARKER}\ufffe", tags={"odd": MARKER}, customer_id=[MARKER], account_vulnerable=MARKER),
    any_item(narrative=MARKER, note=MARKER),
]


class Quoting:
    """A model whose error quotes the text, as that of a library might."""

    def score(self, text: str) -> NoReturn:
        raise ValueError(f"cannot read: {text}")

    read = score


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All log lines at the usual levels, in the format for CloudWatch."""
    written = io.StringIO()
    handlers = []
    for module in MODULES.values():
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


def environment(cloud: Cloud, name: str, dead_endpoint: str) -> Environment:
    match name:
        case "mirror":
            return cloud.mirror(dead_endpoint)
        case "change_strategy":
            return cloud.change_strategy(second_approver=False)
        case _:
            found = getattr(cloud, name)
            assert isinstance(found, Environment)
            return found


def events(complaint_id: str, reference: ModelReference) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an event for every function, in the order of a complaint's way. Some contain text in wrong places."""
    key = {"complaint_id": complaint_id}
    yield "intake", stream_records(key)
    yield "select_models", key
    yield "select_models", {**key, "narrative": MARKER}
    for model in (any_model_reference(revision=any_revision("missing")), reference):
        request = {**key, "model": model.model_dump(mode="json")}
        yield "model_inference", request
        yield "shadow_inference", request
        yield "shadow_failed", {**request, "error": "ModelFailedError"}
    outcomes = [{"model": reference.model_dump(mode="json")}]
    yield "allocate", {**key, "started_at": "2026-03-02T09:29:57Z", "outcomes": outcomes}
    explanation = any_explanation_request(**key)
    yield "find_decision", explanation.model_dump(mode="json")
    yield "explain", {"request": explanation.model_dump(mode="json"), "model": reference.model_dump(mode="json")}
    asked = {"task": "product", "request_id": explanation.request_id, "requester": "ann"}
    yield "deliver_explanation", {**key, **asked}
    yield "read_narrative", {**key, "requester": "ann", "purpose": "test"}
    inbox = {"complaint_id": INBOX + complaint_id}
    yield "feedback", stream_records({**inbox, "entry": "f-1"}, {**inbox, "entry": "bad"})
    yield "seal", stream_records({**key, "entry": SELECTION}, {**inbox, "entry": "bad"})
    yield "sweep", {"scope": "all"}
    yield "sweep", {"scope": "all", "text": MARKER}
    yield "mirror", stream_records({"model_id": "acme/x", "revision": any_revision("x")})
    yield "try_model", {"model": reference.model_dump(mode="json")}
    yield "schedule_promotions", {}
    yield "weigh_evidence", {"task": "product"}
    yield "change_strategy", {"task": "product", "course": MARKER}
    yield "check_strategy", {"task": "product", "reason": MARKER}
    yield "hold", {**key, "kind": "place", "requester": "ann", "reason": "test"}
    yield "keep_held", {}
    yield "erase", {**key, "requester": "ann", "reason": "test"}
    yield "hold", {**key, "kind": "lift", "requester": "ann", "reason": "test"}


def test_every_function_is_tried():
    assert {name for name, _ in events("1", any_model_reference())} == MODULES.keys()


def outcome(name: str, module: ModuleType, told: Environment, session: boto3.Session, event: dict[str, Any]) -> str:
    """Return what a handler gave, or its error with cause and context."""
    try:
        given = json.dumps(module.build(told, session)(event, None), default=str)
    except Exception as error:
        return "".join(traceback.format_exception(error)) + repr(error.args)
    return "" if name in GIVE_WORDS else given


def test_words_that_a_handler_gave_would_be_found(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative=MARKER))
    request = {"complaint_id": "1", "requester": "ann", "purpose": "test"}
    module = MODULES["read_narrative"]
    assert MARKER in outcome("another", module, cloud.read_narrative, cloud.session(), request)


@pytest.mark.parametrize("item", COMPLAINTS)
def test_no_handler_repeats_a_narrative(cloud: Cloud, tmp_path, capsys, logged, dead_endpoint, monkeypatch, item):
    reference = cloud.mirrored(tmp_path)
    row = any_model_info(revision=reference.revision)
    assert row.bundle is not None
    bundle = row.bundle.model_copy(update={"manifest_sha256": reference.manifest_sha256})
    cloud.table(MODEL_INFO).put(row.model_copy(update={"bundle": bundle}))
    cloud.table(MODEL_INFO).put(any_model_info(model_id="acme/x", revision=any_revision("x"), bundle=None))
    complaint_id = item["complaint_id"]
    complaints, story = cloud.table(RAW_COMPLAINTS), cloud.table(COMPLAINTS_ALLOCATION)
    complaints.put(item)
    story.put(FeedbackRow.of(any_feedback(complaint_id=complaint_id)))
    story.put({"complaint_id": INBOX + complaint_id, "entry": "bad", "kind": MARKER})
    heard: list[str] = []

    def hear(session: boto3.Session, *names: str) -> None:
        for name, event in events(complaint_id, reference):
            if not names or name in names:
                heard.append(outcome(name, MODULES[name], environment(cloud, name, dead_endpoint), session, event))

    refused, no_store, intact = cloud.session(), cloud.session(), cloud.session()
    for operation in ("dynamodb.UpdateItem", "dynamodb.PutItem", "sfn.StartExecution", "sqs.SendMessage"):
        failing(refused, operation, REFUSED)
    failing(no_store, "s3.GetObject", DOWN)
    hear(refused)
    with monkeypatch.context() as patched:
        quoting = partial(LoadedModels, load=lambda folder, manifest: Quoting())
        patched.setattr(predictor, "LoadedModels", quoting)
        hear(intact, "model_inference", "shadow_inference")
    assert any("ModelFailedError: the model raised ValueError" in said for said in heard), "the model did fail"
    hear(no_store, "intake", "select_models", "model_inference", "shadow_inference", "explain")
    hear(intact, "model_inference", "allocate")
    assert {"SELECTION", "ALLOCATION"} <= {entry["entry"] for entry in story.query(complaint_id)}
    # A decision to explain, also of a complaint that no model could be asked about.
    decided = any_allocation(complaint_id=complaint_id, decisions=(any_decision(reference),))
    story.put(decided)
    hear(intact)
    cloud.end_executions()
    complaints.put(
        {**item, "triage_started_at": "2020-01-01T00:00:00.000Z", "triage_attempts": 3, "triage_state": STARTED}
    )
    for session in (refused, intact):
        hear(session, "sweep")

    left = list(story.query(complaint_id))
    executions = cloud.session().client("stepfunctions").list_executions(stateMachineArn=cloud.state_machine_arn)
    (bad,) = (row for row in story.query(INBOX + complaint_id) if row["entry"] == "bad")
    printed = capsys.readouterr()
    for text in (
        logged.getvalue(),
        printed.out,
        printed.err,
        json.dumps(executions, default=str),
        json.dumps(left, default=str),
        str(bad.get("reason")),
        *cloud.messages(),
        *heard,
    ):
        # Cause and context of an error are part of its trace; lines of this file would show the name alone.
        assert MARKER not in text
    assert "complaint_id" in logged.getvalue()
