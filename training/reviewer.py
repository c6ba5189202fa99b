"""A reviewer who errs at a known rate, for tests and demonstrations: no person stands behind what it says."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from triage.feedback import Feedback
from triage.taxonomy import Taxonomy

SIMULATED: Final = "simulated reviewer"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is right about a complaint. issue: one of the product's."""

    product: str
    issue: str
    vulnerable: bool


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """error_rate: the probability, task by task, of naming another label than the true one.

    An issue belongs to a product: under a product that was named wrongly, the true issue is named where that product
    has it too, else any of the product's. So issues are wrong at the error rate where the product is right.
    inclusion: the probability with which complaints are drawn for review.
    """

    taxonomy: Taxonomy
    error_rate: float
    inclusion: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.error_rate <= 1:
            raise ValueError(f"an error rate lies between 0 and 1, not at {self.error_rate}")

    def statements(
        self, complaint_id: str, truth: Truth, *, at: datetime, version: int = 1
    ) -> tuple[Feedback, Feedback]:
        """First product and issue, then the vulnerability, as said without having seen the allocation.

        version: of the allocation; the second statement is about the version that the first one makes.
        The same seed and complaint give the same statements.
        """
        chance = random.Random(f"{self.seed} {complaint_id}")
        product = self._named(truth.product, [product.name for product in self.taxonomy.products], chance)
        issue = self._named(truth.issue, self.taxonomy.issues_of(product), chance)
        vulnerable = truth.vulnerable != (chance.random() < self.error_rate)
        return (
            self._said(complaint_id, at, version, "reallocate", product=product, issue=issue),
            self._said(complaint_id, at, version + 1, "set_vulnerable" if vulnerable else "clear_vulnerable"),
        )

    def _named(self, true: str, labels: Sequence[str], chance: random.Random) -> str:
        others = [label for label in labels if label != true]
        return chance.choice(others) if chance.random() < self.error_rate or true not in labels else true

    def _said(self, complaint_id: str, at: datetime, version: int, kind: str, **labels: str) -> Feedback:
        return Feedback.model_validate(
            {
                # Unique for each complaint, which is all that an id of feedback has to be.
                "feedback_id": f"simulated-{self.seed}-{version}",
                "complaint_id": complaint_id,
                "kind": kind,
                "by": SIMULATED,
                "role": SIMULATED,
                "mode": "blind",
                "stratum": "random",
                "inclusion": self.inclusion,
                "at": at,
                "version": version,
                **labels,
            }
        )
