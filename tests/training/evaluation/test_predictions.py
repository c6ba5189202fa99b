import numpy as np
import pytest

from tests.factories import any_bundle, any_manifest
from tests.training.evaluation.examples import LABELS, any_data, any_row
from training.evaluation.predictions import NothingToEvaluateError, positive_label, predict, sample
from training.evaluation.scored_answers import logits
from triage.bundle import Calibration
from triage.errors import ModelFailedError
from triage.inference.classify import classify
from triage.inference.engine import Scores, load_engine


class Broken:
    def __init__(self, *logits: float) -> None:
        self._logits = logits

    def score(self, text: str) -> Scores:
        return Scores(logits=self._logits, tokens_seen=1, tokens_total=1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    manifest = any_bundle(folder, labels=LABELS, task="product", calibration=Calibration(temperature=2.0))
    return load_engine(folder, manifest), manifest


def rows(n: int = 12):
    words = ("credit", "mortgage", "student", "vehicle")
    return [
        any_row(
            row=number + 1,
            narrative=f"my {words[number % 4]} trouble {number}",
            product=LABELS[number % 4],
            vulnerable=None if number % 3 == 0 else number % 2 == 0,
        )
        for number in range(n)
    ]


def test_the_engine_that_serves_answers(bundle):
    engine, manifest = bundle
    data = any_data(rows())
    predictions = predict(engine, manifest, data, task="product")
    served = [classify(row.narrative, engine=engine, manifest=manifest) for row in data.rows]
    judged = predictions.judged
    assert [judged.labels[place] for place in judged.given] == [one.label for one in served]
    assert judged.confidence.tolist() == [one.confidence for one in served]
    assert judged.correct.all()


def test_rows_whose_label_is_unknown_are_measured_on_and_counted(bundle):
    engine, _ = bundle
    manifest = any_manifest(labels=LABELS)
    predictions = predict(engine, manifest, any_data(rows(12)), task="vulnerable")
    assert (len(predictions), predictions.labelled, predictions.unlabelled) == (8, 8, 4)
    assert all(row.vulnerable is not None for row in predictions.rows)
    assert predictions.unknown == 8, "this model knows no label of the task"


def test_groups_are_those_of_the_rows_that_are_answered(bundle):
    engine, manifest = bundle
    data = any_data([any_row(narrative="one two three four"), *rows(3), any_row(narrative="one two three four")])
    predictions = predict(engine, manifest, data, task="product")
    assert predictions.groups.tolist() == data.groups.tolist()
    assert predictions.groups[0] == predictions.groups[4]


def test_a_limit_draws_at_random_and_always_the_same(bundle):
    engine, manifest = bundle
    data = any_data(rows(40))
    first, again = (predict(engine, manifest, data, task="product", limit=10) for _ in range(2))
    assert [row.row for row in first.rows] == [row.row for row in again.rows]
    assert [row.row for row in first.rows] != list(range(1, 11))
    assert (len(first), first.labelled) == (10, 40)
    assert len(sample(np.arange(5), size=9)) == 5


def test_every_answer_is_reported(bundle):
    engine, manifest = bundle
    told: list[int] = []
    predict(engine, manifest, any_data(rows(5)), task="product", progress=told.append)
    assert told == [1] * 5


def test_an_export_without_a_label_for_the_task_is_refused(bundle):
    engine, manifest = bundle
    with pytest.raises(NothingToEvaluateError, match="none of the 1 complaints has a label for vulnerable"):
        predict(engine, manifest, any_data([any_row(vulnerable=None)]), task="vulnerable")


@pytest.mark.parametrize("engine", [Broken(1.0), Broken(1.0, float("nan"))])
def test_scores_that_are_no_distribution_are_refused_without_the_text(engine):
    with pytest.raises(ModelFailedError, match="did not return 2 finite scores for text 1") as caught:
        logits(engine, ["a secret"], labels=2)
    assert "secret" not in str(caught.value)


def test_a_model_of_another_publisher_looks_for_the_vulnerable():
    foreign = any_manifest(labels=("not vulnerable", "vulnerable"))
    assert positive_label(foreign, task="vulnerable") == "vulnerable"
    assert positive_label(foreign, task="product") is None
    assert positive_label(any_manifest(labels=("a", "b")), task="vulnerable") is None
