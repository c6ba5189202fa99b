"""The specification of each table: its items, keys, indexes, stream and expiry. CDK cuts the tables from these."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from triage.audit.chain import Link
from triage.complaint import RawComplaint
from triage.feedback import FeedbackRow
from triage.story import (
    AllocationEntry,
    DeliveryEntry,
    ErasureEntry,
    ExplanationEntry,
    FailureEntry,
    FeedbackEntry,
    HoldEntry,
    PredictionEntry,
    ReadingEntry,
    ReceiptEntry,
    SelectionEntry,
    SupersededEntry,
)
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import ModelInfo, ModelStrategy


@dataclass(frozen=True)
class Index:
    """A global secondary index. attributes: those that it holds beside the keys; by default all."""

    name: str
    partition_key: str
    sort_key: str
    attributes: tuple[str, ...] = ()

    @property
    def projection(self) -> Literal["ALL", "INCLUDE"]:
        return "INCLUDE" if self.attributes else "ALL"


@dataclass(frozen=True)
class TableSpec:
    """One table. data_class: the name of the key that encrypts it."""

    name: str
    items: tuple[type[BaseModel], ...]
    partition_key: str
    data_class: Literal["narratives", "records"]
    sort_key: str | None = None
    indexes: tuple[Index, ...] = ()
    streamed: bool = False
    expires: bool = False
    keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        keys = {self.partition_key, *filter(None, [self.sort_key])}
        keys |= {key for index in self.indexes for key in (index.partition_key, index.sort_key)}
        for key in sorted(keys):
            if not any(key in item.model_fields for item in self.items):
                raise ValueError(f"no item of {self.name} has a field {key!r}: a key must be a field of an item model")
        object.__setattr__(self, "keys", frozenset(keys))

    def index(self, name: str) -> Index:
        return next(index for index in self.indexes if index.name == name)


RAW_COMPLAINTS = TableSpec(
    name="raw_complaints",
    items=(RawComplaint,),
    partition_key="complaint_id",
    data_class="narratives",
    indexes=(
        Index(
            "by_triage_state",
            "triage_state",
            "triage_started_at",
            # Without the narrative, because the sweeper may read this index and not the table.
            attributes=("triage_execution", "triage_attempts"),
        ),
    ),
    streamed=True,
    expires=True,
)
COMPLAINTS_ALLOCATION = TableSpec(
    name="complaints_allocation",
    items=(
        SelectionEntry,
        PredictionEntry,
        AllocationEntry,
        FailureEntry,
        SupersededEntry,
        FeedbackEntry,
        FeedbackRow,
        ExplanationEntry,
        DeliveryEntry,
        ReadingEntry,
        HoldEntry,
        ErasureEntry,
        ReceiptEntry,
    ),
    partition_key="complaint_id",
    sort_key="entry",
    data_class="records",
    indexes=(
        Index("by_team", "product_team", "allocated_at"),
        Index("by_model", "model_version", "predicted_at"),
        Index("by_failed_version", "failed_version", "failed_at"),
        Index("by_labelled_day", "labelled_on", "applied_at"),
        Index("by_hold", "held", "placed_at"),
    ),
    streamed=True,
    expires=True,
)
AUDIT_CHAIN = TableSpec(
    name="audit_chain",
    items=(Link,),
    partition_key="complaint_id",
    sort_key="sequence",
    data_class="records",
    expires=True,
)
MODEL_INFO = TableSpec(
    name="model_info",
    items=(ModelInfo,),
    partition_key="model_id",
    sort_key="revision",
    data_class="records",
    indexes=(Index("by_state", "state", "model_id"),),
    streamed=True,
)
MODEL_STRATEGY = TableSpec(
    name="model_strategy", items=(ModelStrategy,), partition_key="task", sort_key="entry", data_class="records"
)
CHAMPION_LEDGER = TableSpec(
    name="champion_ledger", items=(LedgerEntry,), partition_key="task", sort_key="valid_from", data_class="records"
)
TABLES = (RAW_COMPLAINTS, COMPLAINTS_ALLOCATION, AUDIT_CHAIN, MODEL_INFO, MODEL_STRATEGY, CHAMPION_LEDGER)
