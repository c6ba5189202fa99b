import pytest

from tests.training.evaluation.examples import any_judged
from training.evaluation.humans import compare, verdict
from training.evaluation.intervals import WITH_INTERVAL, Interval
from training.evaluation.measures import figures

FIGURES = figures(any_judged())


def compared(task: str, interval: Interval, *, n: int = 1000, positives: int = 200):
    return compare(task, FIGURES, dict.fromkeys(WITH_INTERVAL, interval), n=n, positives=positives)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.771, 0.79, "reached"),
        (0.85, 0.90, "reached"),
        (0.77, 0.79, "undecided"),
        (0.70, 0.771, "undecided"),
        (0.70, 0.77, "not reached"),
        (0.70, 0.75, "not reached"),
    ],
)
def test_as_good_means_no_worse_than_by_three_points(low, high, expected):
    assert verdict(Interval(low, high), 0.80) == expected


def test_without_an_interval_nothing_is_decided():
    assert verdict(None, 0.8) == "undecided"


def test_both_accounts_of_the_product_team_are_tested():
    assert [(human.level, human.verdict) for human in compared("product", Interval(0.80, 0.84))] == [
        (0.80, "reached"),
        (0.90, "not reached"),
    ]


def test_issue_and_vulnerable_have_a_level_each():
    assert [(human.measure, human.level) for human in compared("issue", Interval(0, 1))] == [("accuracy", 0.71)]
    assert [(human.measure, human.level) for human in compared("vulnerable", Interval(0, 1))] == [("recall", 0.60)]


def test_recall_rests_on_the_vulnerable_alone():
    (human,) = compared("vulnerable", Interval(0.5, 0.7), n=1000, positives=200)
    assert human.n == 200


def test_the_number_of_complaints_for_an_interval_of_three_points_is_stated():
    needed = [human.needed for task in ("product", "issue", "vulnerable") for human in compared(task, Interval(0, 1))]
    assert needed == [683, 385, 879, 1025]


def test_other_tasks_have_no_level_of_people():
    assert compared("urgency", Interval(0, 1)) == ()
