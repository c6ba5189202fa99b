"""A simulated reviewer with a known error rate, for tests and demonstrations; it is not a person."""

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
    """The correct labels of a complaint. issue: one of the issues of the product."""

    product: str
    issue: str
    vulnerable: bool


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A reviewer of drawn complaints.

    error_rate: the probability, for each task, of stating a wrong label. For the issue it holds if the product is
    stated correctly. Under a wrong product, the true issue is stated if that product has it too, and otherwise any of
    its issues.
    inclusion: the probability with which complaints are drawn for review.
    """

    taxonomy: Taxonomy
    error_rate: float
    inclusion: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.error_rate <= 1:
            raise ValueError(f"the error rate must be between 0 and 1, not {self.error_rate}")

    def statements(
        self, complaint_id: str, truth: Truth, *, at: datetime, version: int = 1
    ) -> tuple[Feedback, Feedback]:
        """Return a statement on product and issue and one on the vulnerability, without knowledge of the allocation.

        version: of the allocation; the second statement refers to the version that the first one makes. The same seed
        and complaint give the same statements.
        """
        chance = random.Random(f"{self.seed} {complaint_id}")
        product = self._named(truth.product, [product.name for product in self.taxonomy.products], chance)
        issue = self._named(truth.issue, self.taxonomy.issues_of(product), chance)
        vulnerable = truth.vulnerable != (chance.random() < self.error_rate)
        return (
            self._statement(complaint_id, at, version, "reallocate", product=product, issue=issue),
            self._statement(complaint_id, at, version + 1, "set_vulnerable" if vulnerable else "clear_vulnerable"),
        )

    def _named(self, true: str, labels: Sequence[str], chance: random.Random) -> str:
        others = [label for label in labels if label != true]
        return chance.choice(others) if chance.random() < self.error_rate or true not in labels else true

    def _statement(self, complaint_id: str, at: datetime, version: int, kind: str, **labels: str) -> Feedback:
        return Feedback.model_validate(
            {
                # An id of feedback has to be unique only within its complaint.
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
