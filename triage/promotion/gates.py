"""What a challenger has to show, what stops it at once, and the steps by which it is let in."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from triage.contracts import Contract


class Gates(Contract):
    """What the evidence has to show before a challenger is promoted.

    brings: what else the challenger brings (cheaper, faster, newer data), where it need not be better.
    margin: by how much any metric may be worse; 0.03 is three points. alpha: error rate of each gate over all looks.
    min_labels, min_hours: below either, only a rollback is possible. max_labels: from here on, `hold` replaces the
    verdict `inconclusive`. min_group: labels that a group needs before it is judged.
    min_inclusion: the smallest probability with which the system draws any complaint for labelling: the share of the
    random audit. Labels drawn with a smaller or unknown probability do not count. If it is too low, labels weigh less.
    max_reviewer_share: of the weight of all labels, the most that one person may have in a verdict; 1 is no bound.
        None, as in strategies of before there was a bound, is a half.
    labels: `blind`, or `all`; people who see an answer tend to agree with it. human_accuracy: how often people are
    right, who decide what is not automatic; a challenger that automates more has to be right at least as often.
    """

    claim: Literal["superiority", "non_inferiority"] = "superiority"
    brings: str | None = Field(default=None, min_length=1, max_length=200)
    margin: float = Field(default=0.03, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    min_labels: int = Field(default=200, ge=1)
    min_hours: float = Field(default=24.0, ge=0)
    max_labels: int = Field(default=10_000, ge=1)
    min_inclusion: float = Field(default=0.02, gt=0, le=1)
    min_group: int = Field(default=100, ge=1)
    max_reviewer_share: float | None = Field(default=None, gt=0, le=1)
    labels: Literal["blind", "all"] = "blind"
    human_accuracy: float = Field(default=0.8, ge=0, le=1)

    @model_validator(mode="after")
    def _states_what_it_brings(self) -> Self:
        if (self.claim == "non_inferiority") != (self.brings is not None):
            raise ValueError("`brings` is required for non_inferiority and not allowed for superiority")
        return self

    @property
    def most_of_one_reviewer(self) -> float:
        return 0.5 if self.max_reviewer_share is None else self.max_reviewer_share

    @property
    def needed(self) -> float:
        """The difference of the primary metric that the lower bound has to exceed."""
        return 0.0 if self.claim == "superiority" else -self.margin

    def represents_others(self, inclusion: float | None) -> bool:
        """Whether a label that was drawn with this probability stands for complaints that were not drawn."""
        return inclusion is not None and inclusion >= self.min_inclusion

    def counts(self, *, blind: bool, inclusion: float | None) -> bool:
        """Whether a label counts as evidence."""
        return self.represents_others(inclusion) and (blind or self.labels == "all")


class Guardrails(Contract):
    """What rolls a challenger back at once, compared with the champion over the same time.

    max_error_increase: of the share of failed predictions. max_p95_ratio, max_p95_increase_ms: a breach exceeds both.
    max_constant_share: of its commonest label, if the champion's share is lower by at least 0.1.
    """

    min_predictions: int = Field(default=20, ge=1)
    max_error_increase: float = Field(default=0.02, ge=0, le=1)
    max_p95_ratio: float = Field(default=2.0, ge=1)
    max_p95_increase_ms: float = Field(default=250, ge=0)
    max_constant_share: float = Field(default=0.98, gt=0, le=1)


class Schedule(Contract):
    """Shares in basis points after the shadow, each for `bake_minutes` at least; then the whole traffic.

    manual: people widen and promote. observe_only: the engine changes nothing, and does not roll back either.
    """

    steps: tuple[int, ...] = (100, 500, 2_500, 5_000)
    bake_minutes: float = Field(default=24 * 60, ge=0)
    mode: Literal["automatic", "manual", "observe_only"] = "automatic"

    @model_validator(mode="after")
    def _widens(self) -> Self:
        if any(not 0 < step < 10_000 for step in self.steps) or any(b <= a for a, b in pairwise(self.steps)):
            raise ValueError("each step must be wider than the one before, between 0 and 10,000 basis points")
        return self
