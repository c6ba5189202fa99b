"""What is known about a challenger and the champion it is compared with: a document that is stored and hashed."""

import hashlib
import json
from typing import Literal

from triage.contracts import Contract, TaskName
from triage.statistics import Calibration, FixedTest
from triage.strategies.ledger import EvidenceReference


class Answer(Contract):
    """What one side said. automatic: with a confidence at or above its own threshold."""

    label: str
    confidence: float
    automatic: bool


class Labelled(Contract):
    """A complaint with the label that a person gave, and what either side said; None where it was not asked.

    at: when it was labelled. blind: the person did not see an answer. inclusion: the probability with which the
    complaint was drawn for labelling, None where it was not drawn at random.
    """

    complaint_id: str
    at: str
    truth: str
    blind: bool
    inclusion: float | None
    stratum: str
    groups: tuple[str, ...]
    champion: Answer | None
    challenger: Answer | None


class Comparison(Contract):
    """One metric on one group of complaints, or on all. Every metric is better when it is larger.

    n: differences, of which `paired` are of complaints that both sides answered; the others are of one answer of the
    challenger and the champion's on the complaints just before. champion, challenger: weighted means. lower, upper:
    of the difference, each one-sided at the gates' alpha, valid at every look.
    """

    metric: str
    group: str | None = None
    n: int
    paired: int
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float
    upper: float
    fixed: FixedTest | None = None


class Operations(Contract):
    """How a version ran since the stage began, on its last predictions. Milliseconds are those of the model alone."""

    predictions: int
    failures: int
    p95_ms: float | None
    commonest_share: float | None

    @property
    def asked(self) -> int:
        return self.predictions + self.failures

    @property
    def error_rate(self) -> float:
        return self.failures / self.asked if self.asked else 0.0


class Delivered(Contract):
    """Whether complaints went where the strategy sends them; counted once for each bucket, whoever complains often.

    intended, counted: basis points and buckets, by arm. strays: answered by an arm that does not own the bucket, beyond
    those for which the champion stood in. empty: arms that should have answered and did not.
    """

    intended: dict[str, int]
    counted: dict[str, int]
    p_value: float
    strays: int
    empty: tuple[str, ...]


class Evidence(Contract):
    """stage: `shadow`, or the basis points that the challenger answers. unrepresentative: labels that were not drawn at
    random, or with a smaller probability than the gates allow; assisted: the primary metric on labels of people who saw
    an answer. Neither counts for the gates, unless they ask for all labels.
    """

    task: TaskName
    experiment: str
    strategy_version: int
    stage: Literal["shadow"] | int
    champion: str
    challenger: str
    since: str
    until: str
    hours: float
    labels: int
    primary: Comparison
    others: tuple[Comparison, ...]
    groups: tuple[Comparison, ...]
    assisted: Comparison | None
    unrepresentative: int
    champion_calibration: Calibration
    challenger_calibration: Calibration
    champion_operations: Operations
    challenger_operations: Operations
    delivered: Delivered | None = None

    def document(self) -> bytes:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False).encode()

    def reference(self) -> EvidenceReference:
        """Where its document belongs: named by its hash, so that it is never overwritten by another."""
        sha256 = hashlib.sha256(self.document()).hexdigest()
        return EvidenceReference(key=f"{self.task}/{self.experiment}/{self.until}-{sha256}.json", sha256=sha256)
