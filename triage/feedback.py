"""What a person says about an allocation, and the row in which product teams and our own command hand it in."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from triage.contracts import Contract
from triage.errors import FeedbackRefusedError
from triage.taxonomy import Taxonomy

INBOX: Final = "FEEDBACK#"
"""Before a complaint's id, it is the partition of what was handed in about it. Stories of complaints lie elsewhere."""

Kind = Literal["confirm", "reallocate", "correct_issue", "set_vulnerable", "clear_vulnerable"]
FeedbackId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
Who = Annotated[str, StringConstraints(pattern=r"^[\w.@:/ -]{1,100}$")]
Inclusion = Annotated[float | None, Field(gt=0, le=1)]
NEEDS_TO_SEE: Final = ("confirm", "correct_issue")
"""The kinds that take over part of what was decided."""


class Feedback(Contract):
    """One statement of a person about one version of an allocation.

    feedback_id: chosen by the writer; the same id counts once. version: of the allocation that the person looked at.
    mode: `blind` where the person did not see what was decided. stratum: why this complaint was looked at.
    inclusion: the probability with which it was drawn to be looked at; None where it was not drawn at random.
    at: when the person decided, ISO 8601 with its time zone.
    """

    feedback_id: FeedbackId
    complaint_id: str = Field(min_length=1)
    kind: Kind
    product: str | None = None
    issue: str | None = None
    by: Who
    role: Who
    mode: Literal["blind", "assisted"]
    stratum: Literal["random", "uncertain", "novel", "vulnerable", "none"] = "none"
    inclusion: Inclusion = None
    at: AwareDatetime
    version: int = Field(ge=1)

    @model_validator(mode="after")
    def _names_what_its_kind_needs(self) -> Self:
        wrong = {
            "reallocate": self.product is None and "reallocate needs a product",
            "correct_issue": (self.issue is None or self.product is not None)
            and "correct_issue needs an issue and no product",
        }.get(self.kind, (self.product is not None or self.issue is not None) and f"{self.kind} names no label")
        if wrong:
            raise ValueError(wrong)
        if self.mode == "blind" and self.kind in NEEDS_TO_SEE:
            raise ValueError(f"who did not see the allocation cannot {self.kind}; say reallocate, or the vulnerability")
        return self

    def check(self, taxonomy: Taxonomy, *, product: str | None) -> None:
        """Refuse names that are no labels. product: the current one, to which a corrected issue has to belong.

        Raises: UnknownProductError, FeedbackRefusedError.
        """
        owner = self.product or product
        if self.product is not None:
            taxonomy.product(self.product)
        if self.issue is None:
            return
        if owner is None:
            raise FeedbackRefusedError("the allocation has no product: reallocate it, with product and issue")
        if not taxonomy.has_issue(owner, self.issue):
            raise FeedbackRefusedError(
                f"{self.issue!r} is no issue of {owner!r}; its issues are: {'; '.join(taxonomy.issues_of(owner))}"
            )


class FeedbackRow(Contract):
    """Feedback as it is put into `complaints_allocation`, and what became of it.

    complaint_id: `FEEDBACK#` and the complaint's id. entry: the id of the feedback. outcome, reason, made_version and
    expires_at are added by us: `applied`, or `refused` with the reason.
    """

    complaint_id: Annotated[str, StringConstraints(pattern=rf"^{INBOX}.")]
    entry: FeedbackId
    kind: Kind
    product: str | None = None
    issue: str | None = None
    by: Who
    role: Who
    mode: Literal["blind", "assisted"]
    stratum: Literal["random", "uncertain", "novel", "vulnerable", "none"] = "none"
    inclusion: Inclusion = None
    at: AwareDatetime
    version: int = Field(ge=1)
    outcome: Literal["applied", "refused"] | None = None
    reason: str | None = None
    made_version: int | None = None
    expires_at: int | None = None

    @classmethod
    def of(cls, feedback: Feedback) -> Self:
        said = feedback.model_dump(exclude={"feedback_id", "complaint_id"})
        return cls(complaint_id=INBOX + feedback.complaint_id, entry=feedback.feedback_id, **said)

    def feedback(self) -> Feedback:
        said = self.model_dump(exclude={"complaint_id", "entry", *OURS})
        return Feedback(feedback_id=self.entry, complaint_id=self.complaint_id.removeprefix(INBOX), **said)


def is_pending(row: Mapping[str, Any]) -> bool:
    """Handed in and not looked at, so that its writer may still replace it.

    Every entry of a story says which code wrote it: a complaint may be called like an inbox.
    """
    return str(row.get("complaint_id")).startswith(INBOX) and not {"outcome", "code_version"} & row.keys()


OURS: Final = ("outcome", "reason", "made_version", "expires_at")
WRITABLE: Final = tuple(sorted(FeedbackRow.model_fields.keys() - set(OURS)))
"""What a product team may write, and nothing beside it."""
