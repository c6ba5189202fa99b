"""What a person says about an allocation, and the row in which product teams and the `triage` command hand it in."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from triage.contracts import Contract, TaskName
from triage.errors import FeedbackRefusedError
from triage.tasks import ISSUE, PRODUCT, TASKS
from triage.taxonomy import Taxonomy
from triage.validation import Matching

INBOX: Final = "FEEDBACK#"
"""The prefix that makes a complaint's id the partition of feedback about it. Its story is under the id alone."""

Kind = Literal["confirm", "reallocate", "correct_issue", "set_vulnerable", "clear_vulnerable"]
Stratum = Literal["random", "uncertain", "novel", "vulnerable", "none"]
FeedbackId = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$", "1 to 100 letters, digits, or any of _ . : -, a letter or digit first"
    ),
]
Who = Annotated[
    str,
    Matching(
        r"^[\w.,:;@()/'+=\\ -]{1,200}$",
        "1 to 200 letters, digits, spaces, or any of _ . , : ; @ ( ) / ' + = \\ -",
    ),
]
"""A name such as O'Brien or MEGABANK\\ann, an address, or the ARN of whom AWS takes somebody for."""
SEEN: Final = ("confirm", "correct_issue")
"""The kinds that keep part of the allocation, so the person must have seen it."""


def _names(value: Any) -> Any:
    """Return a list of names from a set of DynamoDB, or from a CSV cell with spaces between the names."""
    if isinstance(value, str):
        return value.split()
    return sorted(value, key=str) if isinstance(value, set) else value


Tasks = Annotated[tuple[TaskName, ...], Field(min_length=1), BeforeValidator(_names)]


class Statement(Contract):
    """What a person says about one version of an allocation.

    tasks: of a confirmation, the tasks whose answers it confirms; None stands for product and issue.
    mode: `blind` if the person did not see the allocation. stratum: why this complaint was reviewed.
    inclusion: the probability with which it was drawn for review; None where it was not drawn at random.
    at: when the person decided, ISO 8601 with its time zone. version: of the allocation that the person looked at.
    """

    kind: Kind
    product: str | None = None
    issue: str | None = None
    tasks: Tasks | None = None
    by: Who
    role: Who
    mode: Literal["blind", "assisted"]
    stratum: Stratum = "none"
    inclusion: float | None = Field(default=None, gt=0, le=1)
    at: AwareDatetime
    version: int = Field(ge=1)

    @model_validator(mode="after")
    def _names_what_its_kind_needs(self) -> Self:
        if self.kind == "reallocate":
            if self.product is None:
                raise ValueError("reallocate needs a product")
        elif self.product is not None:
            raise ValueError(f"{self.kind} takes no product; use reallocate")
        if self.kind == "correct_issue":
            if self.issue is None:
                raise ValueError("correct_issue needs an issue")
        elif self.kind != "reallocate" and self.issue is not None:
            raise ValueError(f"{self.kind} takes no issue; use correct_issue or reallocate")
        if self.kind != "confirm" and self.tasks is not None:
            raise ValueError(f"{self.kind} takes no tasks; only confirm does")
        if self.mode == "blind" and self.kind in SEEN:
            raise ValueError(
                f"a blind review cannot use {self.kind}, because the reviewer has not seen the allocation; "
                "use reallocate, set_vulnerable or clear_vulnerable"
            )
        return self


class Feedback(Statement):
    """A statement about a complaint. feedback_id: chosen by the writer; the same id counts once."""

    feedback_id: FeedbackId
    complaint_id: str = Field(min_length=1)

    @property
    def confirmed(self) -> tuple[TaskName, ...]:
        """The tasks whose answers it confirms; none for another kind."""
        return (self.tasks or (PRODUCT.name, ISSUE.name)) if self.kind == "confirm" else ()

    def check(self, taxonomy: Taxonomy, *, product: str | None) -> None:
        """Refuse names that the system does not know.

        product: of the allocation. A confirmation may confirm it, and a corrected issue must be one of it.

        Raises: UnknownProductError, FeedbackRefusedError.
        """
        by_person = [task.name for task in TASKS.values() if task.asks != "specialist"]
        if unknown := [task for task in self.confirmed if task not in by_person]:
            raise FeedbackRefusedError(f"confirm takes the tasks {', '.join(by_person)}, not {unknown[0]}")
        owner = self.product or product
        if PRODUCT.name in self.confirmed and product is not None and not taxonomy.has_product(product):
            raise FeedbackRefusedError(f"no team owns the product {product!r}: use reallocate instead of confirm")
        if self.product is not None:
            taxonomy.product(self.product)
        if self.issue is None:
            return
        if owner is None:
            raise FeedbackRefusedError("the allocation has no product: use reallocate, with product and issue")
        if not taxonomy.has_issue(owner, self.issue):
            raise FeedbackRefusedError(
                f"{self.issue!r} is no issue of {owner!r}; its issues are: {'; '.join(taxonomy.issues_of(owner))}"
            )


class FeedbackRow(Statement):
    """Feedback as it is put into `complaints_allocation`, and what became of it.

    complaint_id: `FEEDBACK#` and the complaint's id. entry: the id of the feedback. The system adds outcome (`applied`
    or `refused`), reason, made_version and expires_at.
    """

    complaint_id: Annotated[str, Matching(rf"^{INBOX}.", f"{INBOX} and the complaint's id")]
    entry: FeedbackId
    outcome: Literal["applied", "refused"] | None = None
    reason: str | None = None
    made_version: int | None = None
    expires_at: int | None = None

    @classmethod
    def of(cls, feedback: Feedback) -> Self:
        return cls(complaint_id=INBOX + feedback.complaint_id, entry=feedback.feedback_id, **_stated(feedback))

    def feedback(self) -> Feedback:
        return Feedback(complaint_id=self.complaint_id.removeprefix(INBOX), feedback_id=self.entry, **_stated(self))


def _stated(statement: Statement) -> dict[str, Any]:
    return statement.model_dump(include=set(Statement.model_fields))


def is_pending(row: Mapping[str, Any]) -> bool:
    """Whether a row is feedback without an outcome, which its writer may still replace.

    A complaint's id may begin like an inbox. An entry of its story is told apart by its `code_version`.
    """
    return str(row.get("complaint_id")).startswith(INBOX) and not {"outcome", "code_version"} & row.keys()


OURS: Final = ("outcome", "reason", "made_version", "expires_at")
WRITABLE: Final = tuple(sorted(FeedbackRow.model_fields.keys() - set(OURS)))
"""The only attributes that a product team may write."""

MAX_ROW_BYTES: Final = 16 * 1024
"""Of a row of feedback as JSON. A statement needs a twentieth of it, and its outcome has to fit beside it."""

LONGEST_REASON: Final = 500
"""Characters. A reason may quote what was handed in, which may be of any length."""


def as_handed_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without what the system adds to it."""
    return {name: value for name, value in row.items() if name not in OURS}


def is_too_large(row: Mapping[str, Any]) -> bool:
    return len(json.dumps(row, default=str, ensure_ascii=False).encode("utf-8", "replace")) > MAX_ROW_BYTES


def with_outcome(row: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its outcome, in a size that the table takes. A row that is too large keeps its ids alone."""
    reason = outcome.get("reason")
    short = {"reason": shortened(reason)} if isinstance(reason, str) else {}
    kept = {name: row[name] for name in ("complaint_id", "entry")} if is_too_large(row) else dict(row)
    return {**kept, **outcome, **short}


def shortened(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "\N{HORIZONTAL ELLIPSIS}"
