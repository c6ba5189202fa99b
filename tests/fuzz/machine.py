"""The state machine in this process: its functions run one after the other, on tables that take any row."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from runtime import allocate, intake, model_inference, select_models, sweep
from runtime.adapters.dynamodb import Table
from tests.factories import any_item, any_mirrored_bundle, any_model_info
from tests.fuzz.inputs import AttributeValue
from tests.runtime.conftest import Cloud, stream_records
from triage.errors import TriageError
from triage.steps import ModelReference, Selected
from triage.story import ALLOCATION
from triage.tables import COMPLAINTS_ALLOCATION, MODEL_INFO, RAW_COMPLAINTS, TableSpec

ATTEMPTS = 5


@dataclass
class Machine:
    """`triage` runs a complaint until it is allocated or parked, as intake, executions and sweeps do."""

    cloud: Cloud

    def __post_init__(self) -> None:
        cloud, session = self.cloud, self.cloud.session()
        at_once = cloud.sweep.model_copy(update={"stale_after_seconds": 0})
        self.intake = intake.build(cloud.intake, session)
        self.sweep = sweep.build(at_once, session)
        self.select = select_models.build(cloud.select_models, session)
        self.infer = model_inference.build(cloud.model_inference, session)
        self.allocate = allocate.build(cloud.allocate, session)
        self.executions = session.client("stepfunctions")
        self.complaints = cloud.table(RAW_COMPLAINTS)
        self.stories = cloud.table(COMPLAINTS_ALLOCATION)

    def serve(self, folder: Path) -> None:
        """Register a working model for products as champion."""
        model = self.champion = self.cloud.mirrored(folder, task="product")
        bundle = any_mirrored_bundle(manifest_sha256=model.manifest_sha256)
        row = any_model_info(model_id=model.model_id, revision=model.revision, task="product", bundle=bundle)
        self.cloud.table(MODEL_INFO).put(row.model_copy(update={"state": "champion"}))

    def select_anew(self) -> list[ModelReference]:
        """Return the models that are asked about a complaint that nothing is wrong with."""
        complaint_id = uuid4().hex
        self.complaints.put(any_item(complaint_id=complaint_id))
        selected = self.select({"complaint_id": complaint_id}, None)
        self.complaints.delete(complaint_id)
        return [*Selected.model_validate(selected).models]

    def forget(self, complaint_id: str) -> None:
        self.complaints.delete(complaint_id)
        for written in self.stories.query(complaint_id):
            self.stories.delete(complaint_id, written["entry"])

    def triage(self, complaint_id: str) -> str:
        """Return `allocated` or `parked`."""
        self.intake(stream_records({"complaint_id": complaint_id}), None)
        for _ in range(ATTEMPTS):
            if self.stories.get(complaint_id, ALLOCATION) is not None:
                return "allocated"
            if complaint_id in self._called_for():
                return "parked"
            if self._is_started():
                self._execute(complaint_id)
                self.cloud.end_executions()
            self.sweep({"scope": "all"}, None)
        raise AssertionError(f"{complaint_id!r} is neither allocated nor parked")

    def _called_for(self) -> set[str]:
        """Return the complaints that people are called to look at."""
        return {json.loads(message)["complaint_id"] for message in self.cloud.messages()}

    def _is_started(self) -> bool:
        arn = self.cloud.state_machine_arn
        return bool(self.executions.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"])

    def _execute(self, complaint_id: str) -> None:
        """Do what one execution does: errors that the domain knows are caught where the state machine catches them."""
        asked: dict[str, Any] = {"complaint_id": complaint_id, "started_at": datetime.now(UTC).isoformat()}
        try:
            selected = self.select({"complaint_id": complaint_id}, None)
        except TriageError as error:
            self.allocate({**asked, "selection_error": type(error).__name__}, None)
            return
        outcomes = []
        for model in selected["models"]:
            try:
                outcomes.append(self.infer({"complaint_id": complaint_id, "model": model}, None))
            except TriageError as error:
                outcomes.append({"model": model, "error": type(error).__name__})
        self.allocate({**asked, "outcomes": outcomes}, None)


def put(table: Table, spec: TableSpec, row: dict[str, AttributeValue]) -> bool:
    """Return whether DynamoDB takes a row."""
    # The fake takes keys of indexes that DynamoDB refuses.
    keys = {key for index in spec.indexes for key in (index.partition_key, index.sort_key)} & row.keys()
    if any(not row[key].get("S") for key in keys):
        return False
    try:
        table.client.put_item(TableName=spec.name, Item=row)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException", error
        return False
    return True
