import numpy as np
import pytest

from tests.training.evaluation.examples import any_flagging, any_judged, any_predictions, any_row
from training.evaluation.scored_answers import Judged
from training.evaluation.slices import SLICES, SMALL, class_figures, confusion_matrix, confusions, slices


def by(name: str, predictions=None):
    predictions = any_predictions() if predictions is None else predictions
    return [slice_ for slice_ in slices(predictions) if slice_.by == name]


@pytest.mark.parametrize("name", SLICES)
def test_each_complaint_is_in_one_slice_of_a_kind(name):
    assert sum(slice_.n for slice_ in by(name)) == 60


def test_slices_together_are_as_accurate_as_the_whole():
    predictions = any_predictions()
    right = sum(slice_.accuracy * slice_.n for slice_ in by("product", predictions))
    assert right == pytest.approx(predictions.judged.correct.sum())


def test_years_and_lengths_are_in_their_order():
    assert [slice_.value for slice_ in by("year")] == ["2019", "2020", "2021"]
    assert [slice_.value for slice_ in by("length in characters")] == [
        "1 to 250",
        "251 to 500",
        "501 to 1,000",
        "1,001 to 2,000",
        "over 2,000",
    ]


@pytest.mark.parametrize(
    ("characters", "band"),
    [(1, "1 to 250"), (250, "1 to 250"), (251, "251 to 500"), (2000, "1,001 to 2,000"), (2001, "over 2,000")],
)
def test_a_band_ends_with_its_last_character(characters, band):
    assert SLICES["length in characters"](any_row(narrative="x" * characters)) == band


def test_a_slice_with_few_complaints_is_marked():
    few, many = any_predictions(any_judged(SMALL - 1)), any_predictions(any_judged(SMALL))
    assert [slice_.small for slice_ in by("channel", few)] == [True]
    assert [slice_.small for slice_ in by("channel", many)] == [False]


def test_what_the_export_does_not_say_is_a_slice_of_its_own():
    assert SLICES["channel"](any_row(channel=None)) == "not stated"
    assert SLICES["vulnerable"](any_row(vulnerable=None)) == "not stated"
    assert SLICES["vulnerable"](any_row(vulnerable=True)) == "vulnerable"


def test_recall_is_of_tasks_that_look_for_one_label():
    assert all(slice_.recall is None for slice_ in by("channel"))
    (web,) = by("channel", any_predictions(any_flagging()))
    assert web.recall is not None


def test_classes_are_those_that_occur_with_the_most_frequent_first():
    probability = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    judged = Judged(labels=("a", "b", "never"), probability=probability, truth=np.array(["a", "new", "new"]))
    found = class_figures(judged)
    assert [(one.label, one.support, one.given) for one in found] == [("new", 2, 0), ("a", 1, 2), ("b", 0, 1)]
    assert (found[1].precision, found[1].recall) == (0.5, 1.0)
    assert (found[0].precision, found[0].recall) == (None, 0.0)
    assert found[2].recall is None


def test_confusions_are_the_most_frequent_of_each_product():
    predictions = any_predictions(any_judged(200))
    found = confusions(predictions, most=1)
    assert [confusion.product for confusion in found] == list(dict.fromkeys(c.product for c in found))
    for confusion in found:
        same = (predictions.judged.truth == confusion.truth) & (
            np.array(predictions.judged.labels)[predictions.judged.given] == confusion.given
        )
        assert confusion.n == same.sum()
        assert confusion.truth != confusion.given


def test_the_matrix_holds_each_complaint_once_and_the_right_ones_on_its_diagonal():
    judged = any_judged(80)
    matrix = confusion_matrix(judged)
    assert matrix.sum() == 80
    assert matrix.trace() == judged.correct.sum()
