"""What is shown of one challenger, whether it is known now or stands in a stored document."""

from collections.abc import Sequence
from dataclasses import dataclass

from triage.promotion.comparison import compare, metrics
from triage.promotion.course import Course
from triage.promotion.evidence import Comparison, Evidence, Labelled
from triage.promotion.gates import Gates
from triage.promotion.verdict import Judgement
from triage.promotion.weighing import counting, stands_for_others
from triage.strategies.ledger import LedgerEntry

LOOKS = 60
"""Points of a trail at most."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """challenger: its arm. course: of what is known now. change: the entry of the ledger that rests on the document.

    labelled: None where only a document is known, which holds figures and no labels. positive_label: see `metrics`.
    """

    challenger: str
    evidence: Evidence
    judgement: Judgement
    gates: Gates
    course: Course | None = None
    change: LedgerEntry | None = None
    labelled: tuple[Labelled, ...] | None = None
    positive_label: str | None = None

    @property
    def needed(self) -> float:
        """The difference of the primary metric that its interval has to leave behind."""
        return 0.0 if self.gates.claim == "superiority" else -self.gates.margin

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """That the gates rest on."""
        return (self.evidence.primary, *self.evidence.others, *self.evidence.groups)


@dataclass(frozen=True)
class Look:
    """After so many labels that count."""

    labels: int
    comparison: Comparison


def trail(case: Case) -> tuple[Look, ...]:
    """The primary metric after every k labels, in the order in which people gave them; the last look is now's."""
    counted = sorted(counting(case.labelled or (), case.gates), key=lambda one: (one.at, one.complaint_id))
    if not counted:
        return ()
    step = -(-len(counted) // LOOKS)
    ends = dict.fromkeys((*range(step, len(counted) + 1, step), len(counted)))
    return tuple(Look(end, _primary(case, counted[:end])) for end in ends)


def _primary(case: Case, labelled: Sequence[Labelled]) -> Comparison:
    primary, *_ = metrics(case.positive_label, case.gates.human_accuracy)
    return compare(labelled, primary, min_inclusion=case.gates.min_inclusion, alpha=case.gates.alpha)


def left_out(case: Case) -> dict[str, int]:
    """How many labels do not count, by the reason. Of a document only the evidence is known, where a label that was not
    drawn may be among the assisted ones too."""
    gates, evidence = case.gates, case.evidence
    rare = f"drawn with a probability below {100 * gates.min_inclusion:g} %, which the gates do not allow"
    if case.labelled is None:
        assisted = evidence.assisted.n if evidence.assisted and gates.labels == "blind" else 0
        found = {
            "not drawn at random, or drawn too rarely to stand for others": evidence.unrepresentative,
            "the person saw an answer, and leans towards it (some may not be drawn either)": assisted,
        }
    else:
        chances = [one.inclusion for one in case.labelled]
        drawn = [one for one in case.labelled if stands_for_others(gates, one.inclusion)]
        found = {
            "not drawn at random, so they stand for nobody": chances.count(None),
            rare: sum(chance is not None and chance < gates.min_inclusion for chance in chances),
            "drawn, but the person saw an answer, and leans towards it": len(drawn) - evidence.labels,
        }
    return {reason: count for reason, count in found.items() if count}
