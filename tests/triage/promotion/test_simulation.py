import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_strategy
from tests.triage.promotion.factories import any_answer
from triage.promotion.simulation import Assumed, Past, expect, wilson
from triage.strategy import BUCKETS, assign

ALONE = any_strategy()
CANARY = any_strategy({"champion": 7_500, "next": 2_500})
CHAMPION, NEXT = (arm.version for arm in CANARY.arms)
SHARE = 0.25


def past(number: int = 0, *, bucket: int | None = None, **values: object) -> Past:
    default = {
        "complaint_id": f"c-{number}",
        "dealt": None if bucket is None else ("first", "", bucket),
        "answers": {CHAMPION: any_answer(confidence=0.9), NEXT: any_answer("Student loan", confidence=0.7)},
        "truth": "Mortgage",
        "inclusion": 1.0,
    }
    return Past.model_validate({**default, **values})


def test_each_complaint_is_answered_by_the_arm_that_would_get_it():
    found = expect([past(bucket=number) for number in range(0, BUCKETS, 100)], CANARY, Assumed())
    assert (found.complaints, found.unknown, found.arms) == (100, 0, {"next": 25, "champion": 75})
    assert found.accuracy == pytest.approx(0.75)


def test_another_experiment_deals_anew_by_the_complaint():
    again = any_strategy({"champion": 7_500, "next": 2_500}, experiment="another")
    found = expect([past(number, bucket=0) for number in range(200)], again, Assumed())
    dealt = [assign(again, f"c-{number}").arm.name for number in range(200)]
    assert found.arms == {name: dealt.count(name) for name in ("champion", "next")}


def test_what_the_arm_never_predicted_is_told_and_counts_for_nothing():
    unseen = past(bucket=0, answers={CHAMPION: any_answer()})
    found = expect([unseen, past(bucket=9_000)], CANARY, Assumed())
    assert (found.complaints, found.unknown, found.labels, found.accuracy) == (2, 1, 1, 1.0)


def test_a_threshold_takes_the_place_of_the_models_own():
    answers = {CHAMPION: any_answer(confidence=0.6, automatic=True)}
    found = [expect([past(answers=answers)], ALONE, Assumed(), threshold=limit) for limit in (None, 0.6, 0.61)]
    assert [one.reviewed for one in found] == [0.0, 0.0, 1.0]


def test_reviews_cost_what_people_cost():
    answers = {CHAMPION: any_answer(automatic=False)}
    found = expect([past(answers=answers)], ALONE, Assumed(volume=1_000, minutes=2, pence=30))
    assert (found.reviews_a_day, found.pounds_a_year) == (1_000, 365 * 1_000 * 0.6)


def test_an_oversampled_label_stands_for_fewer():
    wrong = {CHAMPION: any_answer("Student loan")}
    labels = [past(0, inclusion=0.1), past(1, inclusion=1.0, answers=wrong), past(2, inclusion=None, answers=wrong)]
    found = expect(labels, ALONE, Assumed())
    assert found.labels == 2
    assert found.accuracy == pytest.approx(10 / 11)


def test_without_labels_the_accuracy_is_not_known():
    found = expect([past(truth=None)], ALONE, Assumed())
    assert (found.labels, found.accuracy, found.interval, found.reviewed) == (0, None, None, 0.0)
    nothing = expect([], ALONE, Assumed())
    assert (nothing.complaints, nothing.reviewed, nothing.pounds_a_year) == (0, None, None)


@given(share=st.floats(0, 1), n=st.floats(1, 1e6))
def test_an_interval_holds_its_share_and_stays_between_nothing_and_all(share, n):
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1
