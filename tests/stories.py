"""A complaint's story with every kind of record in it."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from runtime.adapters.dynamodb import from_item, to_item
from tests.factories import (
    any_allocation,
    any_decision,
    any_explanation,
    any_feedback,
    any_item,
    any_model_reference,
    any_prediction,
    any_selection,
    any_sha256,
)
from triage.audit.chain import Item, Link
from triage.clock import load_clocks
from triage.contracts import Contract
from triage.feedback import FeedbackRow
from triage.reallocation import replace
from triage.steps import ModelReference
from triage.story import (
    DeliveryEntry,
    Entry,
    ErasureEntry,
    ExplanationEntry,
    FailureEntry,
    FeedbackEntry,
    HoldEntry,
    ReadingEntry,
    ReceiptEntry,
    SupersededEntry,
)
from triage.taxonomy import load_taxonomy
from triage.timeline.account import Account
from triage.timeline.records import OUTBOX, Records

ID = "8123456"
FILED: dict[str, Any] = {"complaint_id": ID, "code_version": "test"}
DAY = "2026-03-02T"

CHAMPION = any_model_reference(model_id="acme/champion", arm="champion", bucket=4711, strategy_version=3)
CHALLENGER = CHAMPION.model_copy(update={"model_id": "acme/challenger", "arm": "challenger", "stand_in": CHAMPION})
SHADOW = CHAMPION.model_copy(update={"model_id": "acme/shadow", "arm": "next", "shadow": True})
ISSUE = any_model_reference(task="issue", model_id="acme/issues")
VULNERABLE = any_model_reference(task="vulnerable", model_id="acme/vulnerable")


def any_failure(model: ModelReference, **values: Any) -> FailureEntry:
    default = {
        "entry": FailureEntry.key(model),
        "model": model,
        "failed_version": model.version,
        "error": "ModelFailedError",
        "failed_at": f"{DAY}09:29:58.500Z",
    }
    return FailureEntry(**{**FILED, **default, **values})


def any_feedback_entry(made_version: int = 2, **values: Any) -> FeedbackEntry:
    default = {
        "entry": FeedbackEntry.key(made_version),
        "made_version": made_version,
        "applied_at": f"{DAY}10:00:01.000Z",
        "labelled_on": "2026-03-02",
        "labels": {"product": "Credit card"},
        "feedback": any_feedback(kind="reallocate", product="Credit card"),
    }
    return FeedbackEntry(**{**FILED, **default, **values})


def any_delivery(explanation: ExplanationEntry, at: str = f"{DAY}11:00:05.000Z") -> DeliveryEntry:
    request = explanation.request
    return DeliveryEntry(
        **FILED,
        entry=f"DELIVERY#{request.task}#{request.request_id}#{at}#0",
        explanation=explanation.entry,
        requester=request.requester,
        delivered_at=at,
    )


def any_reading(at: str = f"{DAY}12:00:00.000Z") -> ReadingEntry:
    return ReadingEntry(**FILED, entry=f"READING#{at}#0", read_at=at, read_by="bob", purpose="quality review")


def any_hold(at: str = f"{DAY}13:00:00.000Z", **values: Any) -> HoldEntry:
    default = {"entry": f"HOLD#{at}#0", "placed_at": at, "placed_by": "eve", "reason": "case 7 of the ombudsman"}
    return HoldEntry(**{**FILED, **default, **values})


def lifted(hold: HoldEntry, at: str = f"{DAY}14:00:00.000Z") -> HoldEntry:
    said = {"held": None, "lifted_at": at, "lifted_by": "eve", "lifted_reason": "case 7 is closed"}
    return hold.model_copy(update=said)


def any_erasure(at: str = f"{DAY}15:00:00.000Z", **values: Any) -> ErasureEntry:
    default = {
        "entry": f"ERASURE#{at}#0",
        "erased_at": at,
        "erased_by": "dan",
        "reason": "request of the customer",
        "text": True,
    }
    return ErasureEntry(**{**FILED, **default, **values})


def any_receipt(feedback_id: str = "f-1", **values: Any) -> ReceiptEntry:
    default = {
        "entry": ReceiptEntry.key(feedback_id),
        "feedback_id": feedback_id,
        "taken_at": f"{DAY}10:00:01.000Z",
        "outcome": "applied",
        "row_sha256": any_sha256("row"),
        "result_sha256": any_sha256("result"),
    }
    return ReceiptEntry(**{**FILED, **default, **values})


def any_explained() -> ExplanationEntry:
    prediction = any_prediction(model=CHAMPION)
    return any_explanation(explained_at=f"{DAY}11:00:00.000Z", prediction=prediction, code_version="test")


def whole_story() -> list[Entry]:
    """Return a story in which a challenger fails and the champion stands in, and a person reallocates the complaint.

    It is then explained and read, held, and the hold is lifted.
    """
    top = [("Mortgage", 0.9), ("Student loan", 0.07), ("Credit card", 0.02), ("Debt collection", 0.01)]
    said = any_prediction(
        model=CHAMPION,
        top=tuple({"label": label, "probability": probability} for label, probability in top),
        taxonomy_version="2",
        temperature=1.37,
    )
    flagged = any_prediction(
        model=VULNERABLE,
        label="not vulnerable",
        confidence=0.93,
        positive_label="vulnerable",
        top=({"label": "not vulnerable", "probability": 0.93}, {"label": "vulnerable", "probability": 0.07}),
        thresholds={"auto": 0.8, "flag": 0.2},
        predicted_at=f"{DAY}09:29:59.100Z",
    )
    beside = any_prediction(model=SHADOW, label="Credit card", confidence=0.6, predicted_at=f"{DAY}09:30:10.000Z")
    stated: Any = ({"source": "said", "what": "health"},)
    was = any_allocation(
        decisions=(
            any_decision(CHAMPION, auto_threshold=0.8),
            any_decision(VULNERABLE, label="not vulnerable", confidence=0.93, auto_threshold=0.8, positive=False),
        ),
        shadows=(SHADOW,),
        issue=None,
        stated=stated,
        vulnerable=True,
        journey="specialist",
        route="review",
        reasons=("issue: Sandbox.Timedout", "vulnerable: said (health)"),
        taxonomy_version=load_taxonomy().version,
    )
    applied = any_feedback_entry()
    at = datetime.fromisoformat(applied.applied_at)
    moved = replace(
        was, applied.feedback, taxonomy=load_taxonomy(), clocks=load_clocks(), now=at, code_version="test"
    ).allocation
    explanation = any_explained()
    return [
        any_selection(
            received_at=f"{DAY}09:00:00+00:00",
            text_sha256=any_sha256("text"),
            models=(CHALLENGER, ISSUE, VULNERABLE),
            shadows=(SHADOW,),
            missing_shadows=("product/gone",),
            stated=stated,
            doubts=("tags are not a list of texts",),
        ),
        any_failure(CHALLENGER),
        any_failure(ISSUE, error="Sandbox.Timedout", failed_at=f"{DAY}09:29:59.500Z"),
        said,
        flagged,
        beside,
        moved,
        SupersededEntry(**FILED, entry=SupersededEntry.key(1), superseded_at=f"{DAY}10:00:01.000Z", allocation=was),
        applied,
        any_receipt(),
        explanation,
        any_delivery(explanation),
        any_reading(),
        lifted(any_hold()),
    ]


def whole_inbox() -> list[dict[str, Any]]:
    """Return one refused, one malformed, one waiting and one applied row of feedback."""
    refused, waiting = items(
        FeedbackRow.of(any_feedback(**said))
        for said in (
            {"feedback_id": "f-2", "at": f"{DAY}10:30:00Z"},
            {"feedback_id": "f-4", "at": f"{DAY}10:45:00Z", "version": 2},
        )
    )
    (applied,) = items([FeedbackRow.of(any_feedback_entry().feedback)])
    malformed = refused | {"entry": "f-3", "kind": "shout", "at": "yesterday"}
    reasons = {"f-2": "it is about version 1; look again", "f-3": "malformed: kind: must be one of 'confirm'"}
    return [
        *(row | {"outcome": "refused", "reason": reasons[str(row["entry"])]} for row in (refused, malformed)),
        waiting,
        applied | {"outcome": "applied", "made_version": 2},
    ]


def items(story: Iterable[Contract]) -> list[dict[str, Any]]:
    """Return the records as a table returns them."""
    return [from_item(to_item(entry)) for entry in story]


def account_of(document: dict[str, Any]) -> Account:
    """Return the account that a document of `triage show --json` states."""
    records = {name: value for name, value in document.items() if name in Records.model_fields}
    own = {name: value for name, value in document.items() if name not in records}
    return Account.model_validate_json(json.dumps(own | {"records": records}))


def outbox(**values: Any) -> Item:
    """Return the attributes of the raw complaint that an account needs."""
    known = any_item(received_at="2026-03-02", triage_state="allocated", triage_attempts=1, **values)
    return {name: known[name] for name in OUTBOX}


def chained(entries: Iterable[Item], *, removed: Iterable[str] = (), partition: str = ID) -> list[Link]:
    """Return a chain that seals each entry once, and then the removal of those in `removed`."""
    changes = [(str(item["entry"]), item) for item in entries] + [(entry, None) for entry in removed]
    links: list[Link] = []
    for number, (entry, content) in enumerate(changes):
        last = links[-1] if links else None
        at = f"2026-03-03T00:00:{number:02}.000Z"
        stated = {"complaint_id": partition, "sealed_at": at, "code_version": "test"}
        links.append(Link.after(last, entry=entry, content=content, **stated))
    return links
