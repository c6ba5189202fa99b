"""What is known about a challenger and its champion: a document that is stored and hashed."""

import hashlib
import json
from typing import Literal

from triage.contracts import Contract, TaskName
from triage.metrics import Metric
from triage.statistics import Calibration, FixedTest
from triage.strategies.ledger import EvidenceReference

MISMATCH = 0.001
"""The p-value, valid at every look, below which a sample ratio is called wrong."""


class Answer(Contract):
    """The answer of one model. automatic: its confidence reaches the model's threshold `auto`."""

    label: str
    confidence: float
    automatic: bool


class Labelled(Contract):
    """A complaint with the label that a person gave, and the answers of both models; None where one was not asked.

    at: when it was labelled. by: who labelled it. blind: the person did not see an answer. inclusion: the probability
    with which the system drew the complaint for labelling, None where it did not; what feedback claims never counts.
    """

    complaint_id: str
    at: str
    by: str | None = None
    truth: str
    blind: bool
    inclusion: float | None
    stratum: str
    groups: tuple[str, ...]
    champion: Answer | None
    challenger: Answer | None


class Comparison(Contract):
    """One metric on one group of complaints, or on all where `group` is None. Larger is better for every metric.

    n: number of differences. `paired` of them are of complaints that both models answered; each other one compares an
    answer of the challenger with the champion's answers of the same time. champion, challenger: weighted means.
    lower, upper: bounds of the difference, each one-sided at the gates' alpha, valid at every look.
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

    @property
    def name(self) -> str:
        """Such as `accuracy`, or `accuracy on product:Mortgage`."""
        return self.metric + (f" on {self.group}" if self.group else "")


class Operations(Contract):
    """How a version ran on its last predictions since the stage began.

    throttled: invocations that AWS refused, through all retries. They say nothing about the version, and do not count
    as failures. p95_ms: of the model alone.
    """

    predictions: int
    failures: int
    throttled: int = 0
    p95_ms: float | None
    commonest_share: float | None

    @property
    def asked(self) -> int:
        return self.predictions + self.failures

    @property
    def error_rate(self) -> float:
        return self.failures / self.asked if self.asked else 0.0


class Delivered(Contract):
    """Whether complaints reached the arms that the strategy intends. A bucket counts once, however often it was asked.

    intended, counted: basis points and buckets, by arm. strays: answers by an arm that does not own the bucket, less
    those for which the champion stood in. empty: arms that should have answered and did not.
    """

    intended: dict[str, int]
    counted: dict[str, int]
    p_value: float
    strays: int
    empty: tuple[str, ...]

    @property
    def problems(self) -> tuple[Metric, ...]:
        """What is wrong: the metrics to count, which alarms watch."""
        found = {
            Metric.SAMPLE_RATIO_MISMATCH: self.p_value < MISMATCH,
            Metric.EMPTY_ARM: bool(self.empty),
            Metric.SERVED_NOT_INTENDED: self.strays > 0,
        }
        return tuple(metric for metric, wrong in found.items() if wrong)


class ReviewerShare(Contract):
    """What the labels of one reviewer weigh in the primary metric.

    share: of the weight of all labels. without: the difference on the labels of everybody else, None without any.
    """

    by: str
    labels: int
    share: float
    without: float | None


class Evidence(Contract):
    """stage: `shadow`, or the basis points that the challenger answers.

    unrepresentative: labels that were not drawn at random, or with a smaller probability than the gates allow; they
    never count. assisted: the primary metric on labels of people who saw an answer; they count only where the gates ask
    for all labels. reviewers: the largest share first; none in documents of earlier versions.
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
    reviewers: tuple[ReviewerShare, ...] = ()

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons that gates use."""
        return (self.primary, *self.others, *self.groups)

    def document(self) -> bytes:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False).encode()

    def reference(self) -> EvidenceReference:
        """Where the document is stored. Its hash is part of the name, so no other document overwrites it."""
        sha256 = hashlib.sha256(self.document()).hexdigest()
        return EvidenceReference(key=f"{self.task}/{self.experiment}/{self.until}-{sha256}.json", sha256=sha256)
