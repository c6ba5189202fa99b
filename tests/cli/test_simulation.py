from datetime import timedelta
from typing import Any

import pytest

from cli.simulation import Assumed, Expected, Past, Rule, difference, expect
from tests.factories import NOW, any_strategy
from tests.triage.promotion.factories import any_answer
from triage.promotion.gates import Gates
from triage.statistics import wilson
from triage.strategies.strategy import BUCKETS, Strategy, assign

ALONE = any_strategy()
CANARY = any_strategy({"champion": 7_500, "next": 2_500})
CHAMPION, NEXT = (arm.version for arm in CANARY.arms)
POSITIVE = "vulnerable"
EVEN = Gates(min_inclusion=1.0)


def past(number: int = 0, *, bucket: int | None = None, **values: object) -> Past:
    default = {
        "complaint_id": f"c-{number}",
        "dealt": None if bucket is None else ("first", "", bucket),
        "answers": {CHAMPION: any_answer(confidence=0.9), NEXT: any_answer("Student loan", confidence=0.7)},
        "truth": "Mortgage",
        "inclusion": 1.0,
    }
    return Past.model_validate({**default, **values})


def expected(complaints: list[Past], strategy: Strategy, assumed: Assumed | None = None, **values: Any) -> Expected:
    return expect(complaints, Rule(strategy=strategy, **values), assumed or Assumed())


def test_each_complaint_is_answered_by_the_arm_that_would_get_it():
    found = expected([past(bucket=number) for number in range(0, BUCKETS, 100)], CANARY)
    assert (found.complaints, found.unknown, found.arms) == (100, 0, {"next": 25, "champion": 75})
    assert found.accuracy == pytest.approx(0.75)


def test_another_experiment_assigns_again_by_the_complaint():
    again = any_strategy({"champion": 7_500, "next": 2_500}, experiment="another")
    found = expected([past(number, bucket=0) for number in range(200)], again)
    dealt = [assign(again, f"c-{number}").arm.name for number in range(200)]
    assert found.arms == {name: dealt.count(name) for name in ("champion", "next")}


def test_a_known_customer_is_assigned_again_by_its_id():
    again = any_strategy({"champion": 7_500, "next": 2_500}, salt="another")
    found = expected([past(number, bucket=number * 10, subject="a customer") for number in range(200)], again)
    assert found.arms == {assign(again, "a customer").arm.name: 200}


@pytest.mark.parametrize(
    ("strategy", "needed"),
    [(CANARY, False), (any_strategy({"champion": 7_500, "next": 2_500}, salt="other"), True), (ALONE, False)],
    ids=["the same deal", "another salt", "one arm"],
)
def test_a_customer_is_looked_up_only_if_needed(strategy, needed):
    assert past(bucket=7).needs_subject(strategy) is needed
    assert past().needs_subject(strategy) is (len(strategy.arms) > 1)


def test_after_its_end_the_champion_answers_for_every_arm():
    ab = any_strategy({"champion": 7_500, "next": 2_500}, kind="ab", ends_at=NOW)
    rules = [Rule.of(ab, NOW + timedelta(seconds=late)) for late in (-1, 0)]
    assert [expect([past(bucket=0)], rule, Assumed()).arms for rule in rules] == [{"next": 1}, {"champion": 1}]


def test_complaints_that_the_arm_never_predicted_are_counted_as_unknown():
    unseen = past(bucket=0, answers={CHAMPION: any_answer()})
    found = expected([unseen, past(bucket=9_000)], CANARY)
    assert (found.complaints, found.unknown, found.labels, found.accuracy) == (2, 1, 1, 1.0)
    assert found.unknown_by_arm == {"next": 1}


def test_a_threshold_takes_the_place_of_the_models_own():
    answers = {CHAMPION: any_answer(confidence=0.6, automatic=True)}
    found = [expected([past(answers=answers)], ALONE, threshold=limit) for limit in (None, 0.6, 0.61)]
    assert [one.reviewed for one in found] == [0.0, 0.0, 1.0]
    assert [one.automatic_labels for one in found] == [1, 1, 0]


def test_the_automatic_part_is_judged_by_itself():
    doubted = {CHAMPION: any_answer("Student loan", confidence=0.5, automatic=False)}
    found = expected([past(0), past(1), past(2, answers=doubted)], ALONE)
    assert found.accuracy == pytest.approx(2 / 3)
    assert (found.automatic_accuracy, found.automatic_labels) == (1.0, 2)
    assert found.automatic_interval == wilson(1.0, 2)


def test_the_cost_of_reviews_follows_from_volume_minutes_and_pence():
    answers = {CHAMPION: any_answer(automatic=False)}
    found = expected([past(answers=answers)], ALONE, Assumed(volume=1_000, minutes=2, pence=30))
    assert (found.reviews_a_day, found.pounds_a_year) == (1_000, 365 * 1_000 * 0.6)


def test_a_label_drawn_more_often_weighs_less():
    wrong = {CHAMPION: any_answer("Student loan")}
    labels = [past(0, inclusion=0.1), past(1, inclusion=1.0, answers=wrong), past(2, inclusion=None, answers=wrong)]
    found = expected(labels, ALONE)
    assert (found.labels, found.other_labels) == (2, 1)
    assert found.accuracy == pytest.approx(10 / 11)
    assert found.interval == pytest.approx(wilson(10 / 11, 121 / 101))


def test_a_label_that_the_gates_do_not_count_changes_no_figure():
    found = expected([past(), past(1, counts=False, truth="Student loan")], ALONE)
    assert (found.labels, found.other_labels, found.accuracy) == (1, 1, 1.0)


def test_without_labels_the_accuracy_is_not_known():
    found = expected([past(truth=None)], ALONE)
    assert (found.labels, found.other_labels, found.accuracy, found.interval, found.reviewed) == (0, 0, None, None, 0.0)
    nothing = expected([], ALONE)
    assert (nothing.complaints, nothing.reviewed, nothing.pounds_a_year) == (0, None, None)


def sought(number: int, truth: str, said: str, probability: float) -> Past:
    answer = any_answer(said, confidence=max(probability, 1 - probability), automatic=False)
    return past(number, truth=truth, answers={CHAMPION: answer}, positive={CHAMPION: probability})


SOUGHT = [
    sought(0, POSITIVE, POSITIVE, 0.8),
    sought(1, POSITIVE, "not vulnerable", 0.3),
    sought(2, "not vulnerable", POSITIVE, 0.6),
    sought(3, "not vulnerable", "not vulnerable", 0.1),
]


def test_a_task_that_looks_for_one_label_has_recall_and_precision_in_place_of_accuracy():
    found = expected(SOUGHT, ALONE, positive_label=POSITIVE)
    assert (found.recall, found.precision, found.flagged) == (0.5, 0.5, 0.5)
    assert (found.recall_labels, found.precision_labels, found.recall_interval) == (2, 2, wilson(0.5, 2))
    assert (found.accuracy, found.reviewed, found.pounds_a_year) == (None, None, None)


@pytest.mark.parametrize(
    ("threshold", "recall", "precision", "flagged"),
    [(0.3, 1.0, pytest.approx(2 / 3), 0.75), (0.7, 0.5, 1.0, 0.25), (0.9, 0.0, None, 0.0)],
)
def test_the_threshold_is_the_probability_from_which_the_label_is_given(threshold, recall, precision, flagged):
    found = expected(SOUGHT, ALONE, positive_label=POSITIVE, threshold=threshold)
    assert (found.recall, found.precision, found.flagged) == (recall, precision, flagged)


def test_without_the_recorded_probability_the_answer_is_unknown():
    unrecorded = SOUGHT[0].model_copy(update={"positive": {}})
    assert expected([unrecorded], ALONE, positive_label=POSITIVE, threshold=0.5).unknown == 1
    assert expected([unrecorded], ALONE, positive_label=POSITIVE).unknown == 0


def test_the_difference_is_taken_on_complaints_of_which_both_answers_are_known():
    present, proposed = Rule(strategy=ALONE), Rule(strategy=any_strategy({"next": BUCKETS}))
    seen = [past(number) for number in range(5)]
    unseen, unanswered = past(5, answers={CHAMPION: any_answer()}), past(7, answers={NEXT: any_answer()})
    uncounted = past(6, counts=False)
    found = difference([*seen, unseen, unanswered, uncounted], present, proposed, EVEN)
    assert (found.metric, found.n, found.paired, found.difference) == ("accuracy", 5, 5, -1.0)
    assert difference([unseen], present, proposed, EVEN).difference is None


def test_the_difference_of_a_task_that_looks_for_one_label_is_of_recall():
    present = Rule(strategy=ALONE, positive_label=POSITIVE)
    found = difference(SOUGHT, present, present.model_copy(update={"threshold": 0.3}), EVEN)
    assert (found.metric, found.n, found.difference) == ("recall", 2, 0.5)
