import math
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_manifest
from triage.bundle import Calibration, Manifest, Thresholds
from triage.errors import ModelFailedError
from triage.inference.classify import TOP, classify, softmax
from triage.inference.engine import Scores

FINITE = st.floats(allow_nan=False, allow_infinity=False)
LOGITS = st.lists(FINITE, min_size=2, max_size=8).map(tuple)
TEMPERATURES = st.floats(min_value=0.01, max_value=100)


class Scorer:
    """An engine that gives the same scores to every text."""

    def __init__(self, *logits: float) -> None:
        self._logits = logits

    def score(self, text: str) -> Scores:
        return Scores(logits=self._logits, tokens_seen=5, tokens_total=9)


class Raiser:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def score(self, text: str) -> Scores:
        raise self._error


def a_detector(flag: float | None) -> Manifest:
    return any_manifest(
        labels=("not vulnerable", "vulnerable"), positive_label="vulnerable", thresholds=Thresholds(flag=flag)
    )


def test_the_most_probable_label_is_the_answer():
    answer = classify("text", engine=Scorer(0.0, 2.0), manifest=any_manifest(labels=("a", "b")))
    assert answer.label == "b"
    assert answer.confidence == pytest.approx(math.exp(2) / (1 + math.exp(2)))
    assert (answer.tokens_seen, answer.tokens_total) == (5, 9)


def test_the_top_is_in_order_and_bounded():
    labels = tuple("abcdefgh")
    answer = classify("text", engine=Scorer(*range(8)), manifest=any_manifest(labels=labels))
    assert len(answer.top) == TOP
    assert [probability for _, probability in answer.top] == sorted((p for _, p in answer.top), reverse=True)
    assert answer.top[0] == (answer.label, answer.confidence)


def test_fewer_labels_than_the_top_are_all_kept():
    answer = classify("text", engine=Scorer(0.0, 1.0), manifest=any_manifest(labels=("a", "b")))
    assert {label for label, _ in answer.top} == {"a", "b"}


@pytest.mark.parametrize("scores", [(0.0,), (0.0, 1.0, 2.0), ()])
def test_a_model_whose_scores_do_not_match_the_labels_fails(scores):
    with pytest.raises(ModelFailedError, match="2 labels"):
        classify("text", engine=Scorer(*scores), manifest=any_manifest(labels=("a", "b")))


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_model_whose_scores_are_not_finite_fails(score):
    with pytest.raises(ModelFailedError, match="finite"):
        classify("text", engine=Scorer(0.0, score), manifest=any_manifest(labels=("a", "b")))


class Panic(BaseException):
    """As libraries written in Rust raise it."""


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, KeyError, MemoryError, RecursionError, Panic, SystemExit])
def test_a_model_that_raises_fails_without_repeating_the_text(kind):
    narrative = "-".join(["they", "closed", "it"])  # a literal would show in the trace as a line of this file
    with pytest.raises(ModelFailedError, match=kind.__name__) as failed:
        classify(narrative, engine=Raiser(kind(f"cannot tokenize {narrative}")), manifest=any_manifest())
    assert narrative not in str(failed.value)
    assert failed.value.__cause__ is None
    assert narrative not in "".join(traceback.format_exception(failed.value))


@given(LOGITS, TEMPERATURES)
def test_probabilities_sum_to_one(logits, temperature):
    probabilities = softmax(logits, temperature)
    assert all(0 <= probability <= 1 for probability in probabilities)
    assert sum(probabilities) == pytest.approx(1)


@given(LOGITS, TEMPERATURES)
def test_the_order_of_the_scores_is_kept(logits, temperature):
    probabilities = softmax(tuple(sorted(logits)), temperature)
    assert list(probabilities) == sorted(probabilities)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=5), st.floats(-1000, 1000))
def test_adding_the_same_to_every_score_changes_nothing(logits, shift):
    assert softmax(tuple(logit + shift for logit in logits)) == pytest.approx(softmax(tuple(logits)), abs=1e-9)


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(1, 50))
def test_a_higher_temperature_is_less_confident(one, other, temperature):
    assert max(softmax((one, other), temperature)) <= max(softmax((one, other), 1.0))


def test_the_manifests_temperature_calibrates_the_confidence_and_not_the_label():
    cool, warm = (
        classify("text", engine=Scorer(0.0, 4.0), manifest=any_manifest(calibration=Calibration(temperature=t)))
        for t in (1.0, 2.0)
    )
    assert cool.label == warm.label
    assert warm.confidence == pytest.approx(math.exp(2) / (1 + math.exp(2)))
    assert warm.confidence < cool.confidence


@pytest.mark.parametrize(
    ("flag", "label"), [(0.1, "vulnerable"), (0.2, "vulnerable"), (0.21, "not vulnerable"), (None, "not vulnerable")]
)
def test_the_positive_label_is_the_answer_from_its_own_threshold_on(flag, label):
    engine = Scorer(math.log(0.79999), math.log(0.20001))
    answer = classify("text", engine=engine, manifest=a_detector(flag))
    assert answer.label == label
    assert answer.confidence == pytest.approx(0.2 if label == "vulnerable" else 0.8, abs=1e-3)


def test_a_probability_at_its_threshold_is_enough():
    assert classify("text", engine=Scorer(0.0, 0.0), manifest=a_detector(0.5)).label == "vulnerable"


def test_a_high_flag_threshold_holds_back_even_the_most_probable_label():
    answer = classify("text", engine=Scorer(0.0, 1.0), manifest=a_detector(0.95))
    assert answer.label == "not vulnerable"
    assert answer.confidence < 0.5


def test_a_threshold_without_a_positive_label_flags_nothing():
    manifest = any_manifest(labels=("a", "b"), thresholds=Thresholds(flag=0.0))
    assert classify("text", engine=Scorer(1.0, 0.0), manifest=manifest).label == "a"


@given(LOGITS, TEMPERATURES, st.none() | st.floats(0, 1))
def test_any_finite_scores_give_an_answer_that_can_be_recorded(logits, temperature, flag):
    labels = tuple(str(number) for number in range(len(logits)))
    manifest = any_manifest(
        labels=labels,
        positive_label="0",
        calibration=Calibration(temperature=temperature),
        thresholds=Thresholds(flag=flag),
    )
    answer = classify("text", engine=Scorer(*logits), manifest=manifest)
    assert answer.label in labels
    assert 0 <= answer.confidence <= 1
