"""One AWS in the process for each test, its tables cut from their specifications, and a Hub on loopback."""

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, Literal

# The client reads these once, when it is imported.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import boto3
import botocore.loaders
import botocore.session
import pytest
import uvicorn
from huggingface_hub import HfApi, close_session
from moto import mock_aws

from local.hub.api import application
from local.hub.store import Store
from runtime.adapters.bundles import S3Bundles
from runtime.adapters.dynamodb import Table
from tests.factories import (
    any_allocation,
    any_bundle,
    any_decision,
    any_item,
    any_model_reference,
    any_prediction,
    any_selection,
    create_table,
)
from triage.functions import (
    AllocateEnvironment,
    ChangeStrategyEnvironment,
    CheckStrategyEnvironment,
    DeliverExplanationEnvironment,
    EraseEnvironment,
    ExplainEnvironment,
    FeedbackEnvironment,
    FindDecisionEnvironment,
    HoldEnvironment,
    IntakeEnvironment,
    KeepHeldEnvironment,
    MirrorEnvironment,
    ModelInferenceEnvironment,
    ReadNarrativeEnvironment,
    SchedulePromotionsEnvironment,
    SealEnvironment,
    SelectModelsEnvironment,
    ShadowFailedEnvironment,
    ShadowInferenceEnvironment,
    SweepEnvironment,
    TryModelEnvironment,
    WeighEvidenceEnvironment,
)
from triage.outbox import ALLOCATED
from triage.steps import ModelReference
from triage.tables import (
    AUDIT_CHAIN,
    CHAMPION_LEDGER,
    COMPLAINTS_ALLOCATION,
    MODEL_INFO,
    MODEL_STRATEGY,
    RAW_COMPLAINTS,
    TABLES,
    TableSpec,
)

LOADER = botocore.loaders.create_loader()
"""Keeps the descriptions of the services, whose reading makes a client ten times as slow."""

REGION: Literal["eu-west-2"] = "eu-west-2"
BUCKET = "bundles"
EVIDENCE = "evidence"
ANCHORS = "anchors"
DEFINITION = '{"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": true}}}'
SHARED: dict[str, Any] = {"code_version": "test", "retention_days": 1095}
METRICS = "ComplaintsTriage/test"


NARRATIVE = "My kestrel mortgage was sold."


@dataclass(frozen=True)
class Cloud:
    """The resources of one test. Executions run until the test stops them."""

    state_machine_arn: str
    queue_url: str

    def session(self) -> boto3.Session:
        """Return a new session, so that a test's hooks reach only the clients built from it."""
        core = botocore.session.get_session()
        core.register_component("data_loader", LOADER)
        return boto3.Session(botocore_session=core, region_name=REGION)

    def table(self, spec: TableSpec) -> Table:
        return Table(self.session().client("dynamodb"), spec, spec.name)

    def executions(self) -> list[str]:
        found = self.session().client("stepfunctions").list_executions(stateMachineArn=self.state_machine_arn)
        return sorted(execution["name"] for execution in found["executions"])

    def end_executions(self) -> None:
        client = self.session().client("stepfunctions")
        for execution in client.list_executions(stateMachineArn=self.state_machine_arn)["executions"]:
            client.stop_execution(executionArn=execution["executionArn"])

    def messages(self) -> list[str]:
        found = self.session().client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]

    def mirrored(self, folder: Path, *, model_id: str = "acme/model", **values: Any) -> ModelReference:
        """Store a working bundle as the mirror does, and return the reference to it."""
        manifest = any_bundle(folder, **values)
        task = manifest.task or "product"
        reference = any_model_reference(model_id=model_id, task=task, manifest_sha256=manifest.sha256)
        S3Bundles(self.session().client("s3"), BUCKET).store(
            folder, manifest, model_id=model_id, revision=reference.revision
        )
        return reference

    @property
    def intake(self) -> IntakeEnvironment:
        return IntakeEnvironment(
            **SHARED,
            raw_complaints_table=RAW_COMPLAINTS.name,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            state_machine_arn=self.state_machine_arn,
        )

    @property
    def sweep(self) -> SweepEnvironment:
        return SweepEnvironment(
            **SHARED,
            metrics_namespace=METRICS,
            raw_complaints_table=RAW_COMPLAINTS.name,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            state_machine_arn=self.state_machine_arn,
            parked_queue_url=self.queue_url,
            stale_after_seconds=900,
            max_attempts=3,
            sweep_every_seconds=300,
            sweep_slices=288,
        )

    @property
    def select_models(self) -> SelectModelsEnvironment:
        return SelectModelsEnvironment(
            **SHARED,
            metrics_namespace=METRICS,
            raw_complaints_table=RAW_COMPLAINTS.name,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            model_info_table=MODEL_INFO.name,
            model_strategy_table=MODEL_STRATEGY.name,
        )

    @property
    def model_inference(self) -> ModelInferenceEnvironment:
        return ModelInferenceEnvironment(
            **SHARED,
            raw_complaints_table=RAW_COMPLAINTS.name,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            bundles_bucket=BUCKET,
            loaded_models=2,
            loaded_megabytes=600,
        )

    @property
    def shadow_inference(self) -> ShadowInferenceEnvironment:
        return ShadowInferenceEnvironment(**self.model_inference.model_dump())

    @property
    def find_decision(self) -> FindDecisionEnvironment:
        return FindDecisionEnvironment(code_version="test", complaints_allocation_table=COMPLAINTS_ALLOCATION.name)

    @property
    def explain(self) -> ExplainEnvironment:
        return ExplainEnvironment(**self.model_inference.model_dump())

    @property
    def deliver_explanation(self) -> DeliverExplanationEnvironment:
        return DeliverExplanationEnvironment(
            **SHARED,
            raw_complaints_table=RAW_COMPLAINTS.name,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
        )

    @property
    def seal(self) -> SealEnvironment:
        return SealEnvironment(
            **SHARED,
            metrics_namespace=METRICS,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            audit_chain_table=AUDIT_CHAIN.name,
            anchors_bucket=ANCHORS,
            stale_after_seconds=90,
            sweep_every_seconds=60,
            sweep_slices=1,
            verify_slices=1,
        )

    @property
    def erase(self) -> EraseEnvironment:
        return EraseEnvironment(**self.deliver_explanation.model_dump())

    @property
    def read_narrative(self) -> ReadNarrativeEnvironment:
        return ReadNarrativeEnvironment(**self.deliver_explanation.model_dump())

    @property
    def hold(self) -> HoldEnvironment:
        return HoldEnvironment(**self.deliver_explanation.model_dump(), audit_chain_table=AUDIT_CHAIN.name)

    @property
    def keep_held(self) -> KeepHeldEnvironment:
        return KeepHeldEnvironment(**self.hold.model_dump())

    @property
    def shadow_failed(self) -> ShadowFailedEnvironment:
        return ShadowFailedEnvironment(
            **SHARED, metrics_namespace=METRICS, complaints_allocation_table=COMPLAINTS_ALLOCATION.name
        )

    @property
    def allocate(self) -> AllocateEnvironment:
        return AllocateEnvironment(
            audit_share=1.0, **SHARED, metrics_namespace=METRICS, complaints_allocation_table=COMPLAINTS_ALLOCATION.name
        )

    @property
    def feedback(self) -> FeedbackEnvironment:
        return FeedbackEnvironment(
            **SHARED,
            metrics_namespace=METRICS,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            bus_name="default",
            event_source="complaints-triage.test",
            parked_queue_url=self.queue_url,
        )

    @property
    def schedule_promotions(self) -> SchedulePromotionsEnvironment:
        return SchedulePromotionsEnvironment(
            code_version="test",
            model_strategy_table=MODEL_STRATEGY.name,
            promotion_machine_arn=self.state_machine_arn,
        )

    @property
    def weigh_evidence(self) -> WeighEvidenceEnvironment:
        return WeighEvidenceEnvironment(
            code_version="test",
            metrics_namespace=METRICS,
            complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
            model_strategy_table=MODEL_STRATEGY.name,
            evidence_bucket=EVIDENCE,
        )

    def change_strategy(self, *, second_approver: bool) -> ChangeStrategyEnvironment:
        return ChangeStrategyEnvironment(
            code_version="test",
            model_info_table=MODEL_INFO.name,
            model_strategy_table=MODEL_STRATEGY.name,
            champion_ledger_table=CHAMPION_LEDGER.name,
            second_approver=second_approver,
        )

    @property
    def check_strategy(self) -> CheckStrategyEnvironment:
        return CheckStrategyEnvironment(
            code_version="test", model_info_table=MODEL_INFO.name, model_strategy_table=MODEL_STRATEGY.name
        )

    def mirror(self, hub_endpoint: str, *, max_megabytes: int = 10, loadable: int = 10) -> MirrorEnvironment:
        return MirrorEnvironment(
            code_version="test",
            metrics_namespace=METRICS,
            model_info_table=MODEL_INFO.name,
            bundles_bucket=BUCKET,
            hub_endpoint=hub_endpoint,
            max_bundle_megabytes=max_megabytes,
            max_onnx_megabytes=loadable,
            max_transformers_megabytes=loadable,
            try_onnx_function="try-model",
            try_transformers_function="try-model",
        )

    @property
    def try_model(self) -> TryModelEnvironment:
        return TryModelEnvironment(code_version="test", bundles_bucket=BUCKET, loaded_megabytes=100)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    # Fixed folders below the temporary folder are emptied: another run's must stay.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        session = Cloud("", "").session()
        dynamodb = session.client("dynamodb")
        for spec in TABLES:
            create_table(dynamodb, spec)
        for bucket in (BUCKET, EVIDENCE, ANCHORS):
            session.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        machine = session.client("stepfunctions").create_state_machine(
            name="triage", definition=DEFINITION, roleArn="arn:aws:iam::123456789012:role/triage"
        )
        queue = session.client("sqs").create_queue(QueueName="parked")
        yield Cloud(state_machine_arn=machine["stateMachineArn"], queue_url=queue["QueueUrl"])


def before(session: boto3.Session, operation: str, action: Callable[[], object]) -> None:
    """Run `action` once, right before the session's next call of `operation` (`service.Operation`) is sent."""
    pending = [action]

    def run(**_: object) -> None:
        if pending:
            pending.pop()()

    session.events.register(f"before-call.{operation}", run)


def failing(session: boto3.Session, operation: str, error: Exception, *, after: int = 0) -> None:
    """Let every call of `operation` fail except the first ones."""
    begun = count(1)

    def fail(**_: object) -> None:
        if next(begun) > after:
            raise error

    session.events.register(f"before-call.{operation}", fail)


def answering(
    session: boto3.Session, operation: str, function: Callable[[dict[str, Any]], object], *, failed: bool = False
) -> None:
    """Let the session's invocations run a function here, and report what it raises as Lambda does.

    failed: the function returns what Lambda says of a failure.
    """

    def invoke(params: dict[str, Any], **_: object) -> object:
        answer: dict[str, Any] = {"FunctionError": "Unhandled"} if failed else {}
        try:
            result = function(json.loads(params["body"]))
        except BaseException as error:
            result = {"errorType": type(error).__name__, "errorMessage": str(error)}
            answer["FunctionError"] = "Unhandled"
        return SimpleNamespace(status_code=200), {**answer, "Payload": BytesIO(json.dumps(result).encode())}

    hook: Any = invoke
    session.events.register(f"before-call.{operation}", hook)


def calls(session: boto3.Session, operation: str) -> list[dict[str, Any]]:
    """The parameters of each call of `operation`, as they are made."""
    made: list[dict[str, Any]] = []
    session.events.register(f"provide-client-params.{operation}", lambda params, **_: made.append(params))
    return made


def stream_records(*keys: dict[str, str], removed: bool = False, expired: bool = False) -> dict[str, Any]:
    """Return the event of a stream that reports keys alone. expired: removed by DynamoDB itself."""
    identity = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}} if expired else {}
    name = "REMOVE" if removed or expired else "INSERT"
    return {
        "Records": [
            {"eventName": name, "dynamodb": {"Keys": {name: {"S": value} for name, value in key.items()}}, **identity}
            for key in keys
        ]
    }


@pytest.fixture(scope="session")
def hub_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Hub that the tests share."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(application(Store(tmp_path_factory.mktemp("hub") / "root")), log_level="warning", ws="none")
        )
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + 15
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            close_session()
            server.should_exit = True
            thread.join()


@pytest.fixture
def hub(hub_endpoint: str) -> HfApi:
    return HfApi(endpoint=hub_endpoint, token=False)


@pytest.fixture(scope="session")
def dead_endpoint() -> str:
    """An address at which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def story(cloud):
    """The story table with selection, prediction and allocation of complaint 1."""
    table = cloud.table(COMPLAINTS_ALLOCATION)
    prediction = any_prediction(complaint_id="1", expires_at=1_900_000_000)
    table.put(any_selection(complaint_id="1", models=(prediction.model,), expires_at=1_900_000_000))
    table.put(prediction)
    decided: dict[str, Any] = {"decisions": (any_decision(prediction.model),), "issue": None, "vulnerable": None}
    table.put(any_allocation(complaint_id="1", **decided, expires_at=1_900_000_000))
    item = any_item(complaint_id="1", narrative=NARRATIVE, triage_state=ALLOCATED, expires_at=1_900_000_000)
    cloud.table(RAW_COMPLAINTS).put(item)
    return table
