"""Labels and evidence that do not matter to a test, each overridable by keyword."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.factories import NOW, any_model_strategy, any_strategy
from triage.complaint import timestamp
from triage.promotion.evidence import Answer, Comparison, Evidence, Labelled, Operations
from triage.promotion.gates import Gates
from triage.promotion.weighing import weigh
from triage.statistics import Calibration

EVEN = Gates(min_inclusion=1.0)
"""Every complaint is labelled, so that each label weighs 1."""


def any_answer(label: str = "Mortgage", **values: Any) -> Answer:
    return Answer(label=label, **{"confidence": 0.9, "automatic": True, **values})


def any_labelled(number: int = 0, **values: Any) -> Labelled:
    """Return a blind label of a random sample; both models are right. number: the minute of the label."""
    default = {
        "complaint_id": str(number),
        "at": timestamp(NOW + timedelta(minutes=number)),
        "truth": "Mortgage",
        "blind": True,
        "inclusion": 1.0,
        "stratum": "random",
        "groups": (),
        "champion": any_answer(),
        "challenger": any_answer(),
    }
    return Labelled(**{**default, **values})


def labels(*, right: int = 0, better: int = 0, worse: int = 0, wrong: int = 0, **values: Any) -> list[Labelled]:
    """Return labels on which both models are right, only the challenger, only the champion, or neither."""
    sides = [(True, True)] * right + [(False, True)] * better + [(True, False)] * worse + [(False, False)] * wrong
    return [
        any_labelled(number, champion=answer(champion), challenger=answer(challenger), **values)
        for number, (champion, challenger) in enumerate(sides)
    ]


def answer(right: bool, **values: Any) -> Answer:
    return any_answer("Mortgage" if right else "Student loan", **values)


def any_operations(**values: Any) -> Operations:
    return Operations(**{"predictions": 1_000, "failures": 0, "p95_ms": 100.0, "commonest_share": 0.4, **values})


def any_comparison(metric: str = "accuracy", **values: Any) -> Comparison:
    """Return a comparison on 1,000 pairs: no difference, with bounds of one point."""
    default = {
        "n": 1_000,
        "paired": 1_000,
        "champion": 0.8,
        "challenger": 0.8,
        "difference": 0.0,
        "lower": -0.01,
        "upper": 0.01,
    }
    return Comparison(metric=metric, **{**default, **values})


def any_evidence(**values: Any) -> Evidence:
    """Return the evidence of a challenger that passes every gate."""
    default = {
        "task": "product",
        "experiment": "first",
        "strategy_version": 1,
        "stage": "shadow",
        "champion": "acme/champion@a",
        "challenger": "acme/challenger@b",
        "since": "2026-03-01T00:00:00.000Z",
        "until": "2026-03-08T00:00:00.000Z",
        "hours": 168.0,
        "labels": 1_000,
        "primary": any_comparison(difference=0.03, lower=0.01, upper=0.05),
        "others": (any_comparison("coverage"),),
        "groups": (),
        "assisted": None,
        "unrepresentative": 0,
        "champion_calibration": Calibration(error=0.05, bins=()),
        "challenger_calibration": Calibration(error=0.05, bins=()),
        "champion_operations": any_operations(),
        "challenger_operations": any_operations(),
    }
    return Evidence(**{**default, **values})


def weighed(labelled: Sequence[Labelled], gates: Gates = EVEN) -> Evidence:
    """Return evidence as production computes it, of a shadow without operational problems."""
    strategy = any_strategy(shadows={"next": 10_000}, gates=gates)
    row = any_model_strategy(strategy)
    evidence = weigh(row, strategy.shadows[0], labelled, {}, positive_label=None, now=NOW + timedelta(days=30))
    running = {"champion_operations": any_operations(), "challenger_operations": any_operations()}
    return evidence.model_copy(update=running)
