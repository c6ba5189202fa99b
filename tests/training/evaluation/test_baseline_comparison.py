import random
from dataclasses import replace

import numpy as np
import pytest

from tests.training.evaluation.examples import LABELS, any_data, any_judged, any_predictions, any_row
from training.evaluation.baseline import LINEAR, baseline_curve, baselines_beside, training_part
from training.evaluation.predictions import NothingToEvaluateError

FILLER = [f"filler{chr(97 + first)}{chr(97 + second)}" for first in range(20) for second in range(26)]


def letters(n: int, *, seed: int):
    """Return different texts whose words reveal the product."""
    chance = random.Random(seed)
    return [
        any_row(
            row=number + 1,
            narrative=" ".join([*chance.sample(FILLER, 14), *[LABELS[number % 4].split()[0].lower()] * 3]),
            product=LABELS[number % 4],
        )
        for number in range(n)
    ]


def asked(n: int = 40):
    rows = letters(n, seed=1)
    judged = any_judged(n, truth=np.array([row.product for row in rows]))
    return replace(any_predictions(judged), rows=tuple(rows))


def test_rows_that_resemble_an_evaluated_complaint_are_dropped():
    predictions = asked()
    copies = [replace(row, narrative=row.narrative + " sincerely") for row in predictions.rows[:5]]
    part = training_part(predictions, any_data([*letters(80, seed=2), *copies]))
    assert part.dropped == 5
    assert len(part.examples.texts) == 80
    assert not any(text.endswith("sincerely") for text in part.examples.texts)


def test_the_evaluated_file_itself_is_nothing_to_learn_from():
    predictions = asked()
    with pytest.raises(NothingToEvaluateError, match="all 40 labelled rows to train on resemble"):
        training_part(predictions, any_data(predictions.rows))


def test_groups_stay_together_in_the_order_of_the_part():
    data = any_data([row for row in letters(30, seed=2) for _ in range(2)])
    part = training_part(asked(), data)
    assert (part.groups[::2] == part.groups[1::2]).all()


def test_baselines_answer_the_very_complaints_that_the_model_answered():
    predictions = asked()
    judged = baselines_beside(predictions, training_part(predictions, any_data(letters(160, seed=2))))
    assert all(answers.truth.tolist() == predictions.judged.truth.tolist() for answers in judged.values())
    assert judged[LINEAR].correct.mean() > 0.9 > 0.5 > judged["constant"].correct.mean()


def test_the_curve_is_that_of_the_linear_baseline():
    predictions = asked()
    said: list[str] = []
    curve = baseline_curve(predictions, training_part(predictions, any_data(letters(240, seed=2))), step=said.append)
    assert [point.examples for point in curve.points] == [120, 240]
    assert curve.refusal == "there are 2 points, but at least 5 are needed"
    assert said == ["Learning curve, 120 examples", "Learning curve, 240 examples"]
