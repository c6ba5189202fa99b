import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_manifest
from tests.training.evaluation.examples import any_judged
from training.evaluation.scored_answers import Judged
from triage.bundle import Calibration, Thresholds
from triage.inference.classify import classify, softmax
from triage.inference.engine import Scores

LABELS = ("a", "b", "c")


class Said:
    """An engine that always gives the same scores."""

    def __init__(self, logits: list[float]) -> None:
        self._scores = Scores(logits=tuple(logits), tokens_seen=1, tokens_total=1)

    def score(self, text: str) -> Scores:
        return self._scores


@given(
    st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from([None, *LABELS]),
    st.sampled_from([None, 0.1, 1 / 3, 0.5, 0.9]),
)
def test_answers_are_given_as_in_serving(logits, temperature, positive, flag):
    manifest = any_manifest(
        labels=LABELS,
        positive_label=positive,
        thresholds=Thresholds(flag=flag),
        calibration=Calibration(temperature=temperature),
    )
    served = classify("any", engine=Said(logits), manifest=manifest)
    judged = Judged(
        labels=LABELS,
        probability=np.array([softmax(tuple(logits), temperature)]),
        truth=np.array(["a"]),
        positive=positive,
        thresholds=Thresholds(flag=flag),
    )
    assert (LABELS[judged.given[0]], judged.confidence[0]) == (served.label, served.confidence)


def test_a_true_label_that_the_model_does_not_know_is_missed():
    judged = Judged(labels=("a", "b"), probability=np.array([[0.7, 0.3], [0.2, 0.8]]), truth=np.array(["a", "new"]))
    assert judged.classes == ("a", "b", "new")
    assert judged.correct.tolist() == [True, False]


def test_without_a_threshold_a_person_sees_every_answer():
    assert not any_judged(thresholds=Thresholds()).auto.any()


@pytest.mark.parametrize("rows", [np.array([3, 1]), np.arange(60) < 10])
def test_a_part_has_some_of_the_answers_of_the_same_model(rows):
    judged = any_judged(60)
    part = judged.at(rows)
    assert part.correct.tolist() == judged.correct[rows].tolist()
    assert part.auto.tolist() == judged.auto[rows].tolist()
