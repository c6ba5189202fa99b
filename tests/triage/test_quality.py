import random
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.factories import any_allocation, any_decision, any_feedback, any_model_reference
from triage.quality import Quality, Reviewed, quality, reviewed
from triage.story import AllocationEntry, Drawn, FeedbackEntry

MONDAY = date(2026, 3, 2)
SUNDAY = MONDAY + timedelta(days=6)


def an_answer(**values) -> Reviewed:
    """Return a right answer that was sure enough, of a complaint that stands for fifty."""
    default = {
        "at": datetime(2026, 3, 2, 10, tzinfo=UTC),
        "team": "mortgage",
        "task": "product",
        "truth": "Mortgage",
        "label": "Mortgage",
        "confidence": 0.9,
        "automatic": True,
        "weight": 50.0,
        "blind": True,
    }
    return Reviewed(**{**default, **values})


def figure(found, metric, *, task="product", since=MONDAY, until=SUNDAY) -> Quality:
    """Return the figure of the whole period, which comes before those of weeks."""
    return next(one for one in quality(found, since=since, until=until) if (one.task, one.metric) == (task, metric))


def test_a_complaint_counts_as_many_as_it_stands_for():
    found = [an_answer(weight=50.0), an_answer(weight=10.0, label="Credit card")]
    accuracy = figure(found, "accuracy")
    assert accuracy.estimate is not None and accuracy.low is not None and accuracy.high is not None
    assert accuracy.estimate == pytest.approx(50 / 60)
    assert (accuracy.n, accuracy.weighted) == (2, 60.0)
    assert accuracy.low < accuracy.estimate < accuracy.high


def test_unequal_weights_widen_the_interval():
    even = [an_answer(label="Mortgage" if number % 4 else "Credit card") for number in range(40)]
    uneven = [an_answer(weight=500.0 if number % 10 == 1 else 1.0, label=one.label) for number, one in enumerate(even)]
    widths = [(one.high or 0.0) - (one.low or 0.0) for one in (figure(found, "accuracy") for found in (even, uneven))]
    assert widths[0] < widths[1]


def test_coverage_and_the_accuracy_of_what_acts_alone_leave_each_other_out():
    found = [an_answer(), an_answer(automatic=False, label="Credit card"), an_answer(label="Credit card")]
    assert figure(found, "coverage").estimate == pytest.approx(2 / 3)
    assert figure(found, "accuracy, automatic").estimate == 0.5
    assert figure(found, "accuracy").estimate == pytest.approx(1 / 3)


def test_recall_and_precision_are_of_vulnerable_customers():
    yes, no = "vulnerable", "not vulnerable"
    found = [an_answer(task=yes, truth=truth, label=label) for truth, label in [(yes, yes), (yes, no), (no, yes)]]
    assert figure(found, "recall", task=yes).estimate == 0.5
    assert figure(found, "precision", task=yes).estimate == 0.5


def test_each_team_has_a_figure_of_its_own():
    found = [an_answer(), an_answer(team="credit-card", label="Credit card")]
    assert figure(found, "accuracy of mortgage").estimate == 1.0
    assert figure(found, "accuracy of credit-card").estimate == 0.0


def test_people_who_saw_the_answer_are_no_evidence_of_accuracy():
    found = [an_answer(label="Credit card"), *(an_answer(blind=False, weight=1.0) for _ in range(9))]
    assert figure(found, "accuracy").estimate == 0.0
    assert figure(found, "agreement, assisted").estimate == 1.0


def test_accuracy_is_told_week_by_week():
    until = MONDAY + timedelta(days=9)
    days = [0, 6, 7, 9]
    found = [an_answer(at=datetime(2026, 3, 2 + day, 23, tzinfo=UTC)) for day in days]
    figures = quality(found, since=MONDAY, until=until)
    weeks = [one for one in figures if (one.task, one.metric) == ("product", "accuracy")][1:]
    assert [(one.since, one.until, one.n) for one in weeks] == [
        ("2026-03-02", "2026-03-08", 2),
        ("2026-03-09", "2026-03-11", 2),
    ]


def test_a_period_within_one_week_is_told_once():
    figures = quality([an_answer()], since=MONDAY, until=SUNDAY)
    assert [one.n for one in figures if (one.task, one.metric) == ("product", "accuracy")] == [1]


def test_without_a_review_there_is_no_figure():
    none = figure([], "accuracy")
    assert (none.estimate, none.low, none.high, none.n) == (None, None, None, 0)


def test_what_lies_outside_the_period_is_left_out():
    assert figure([an_answer(at=datetime(2026, 3, 9, tzinfo=UTC))], "accuracy").n == 0


# From what is stored


def a_review(complaint_id="8123456", *, mode="blind", label="Mortgage", **claimed) -> FeedbackEntry:
    feedback = any_feedback(
        complaint_id=complaint_id, kind="reallocate", product=label, mode=mode, feedback_id=f"{mode}-1", **claimed
    )
    return FeedbackEntry(
        complaint_id=complaint_id,
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at="2026-03-02T10:00:00.000Z",
        labelled_on="2026-03-02",
        labels={"product": label},
        feedback=feedback,
    )


def an_allocation(**values) -> AllocationEntry:
    decision = any_decision(any_model_reference(task="product"), label="Mortgage", auto_threshold=0.8, confidence=0.9)
    drawn = Drawn(stratum="mortgage/auto/standard", inclusion=0.02)
    return any_allocation(**{"decisions": (decision,), "drawn": drawn, **values})


def read(*entries: FeedbackEntry, **allocation) -> list[Reviewed]:
    return list(reviewed(entries, {"8123456": an_allocation(**allocation)}))


def test_the_systems_own_draw_says_how_much_a_review_weighs():
    (one,) = read(a_review(inclusion=1.0, stratum="random"))
    assert (one.weight, one.is_right, one.automatic, one.team) == (50.0, True, True, "mortgage")


def test_a_review_of_what_was_not_drawn_is_no_sample():
    assert read(a_review(), drawn=None) == []
    (assisted,) = read(a_review(mode="assisted"), drawn=None)
    assert (assisted.weight, assisted.blind) == (1.0, False)


def test_the_team_is_the_one_that_the_models_chose():
    (one,) = read(a_review(label="Credit card"), product_team="credit-card", product="Credit card")
    assert (one.team, one.is_right) == ("mortgage", False)


def test_a_review_of_a_complaint_that_has_no_allocation_any_more_is_left_out():
    assert list(reviewed([a_review()], {})) == []


def test_the_interval_covers_the_truth_in_95_of_100_weeks():
    """Complaints of three kinds, of which the rarer ones are drawn more often and are harder."""
    chance, kinds, covered, weeks = random.Random(1), [(0.8, 0.02, 0.93), (0.15, 0.06, 0.8), (0.05, 0.06, 0.6)], 0, 500
    truth = sum(share * right for share, _, right in kinds)
    for _ in range(weeks):
        found = []
        for share, inclusion, right in kinds:
            drawn = round(chance.gauss(15_000 * share * inclusion, (15_000 * share * inclusion) ** 0.5))
            found += [
                an_answer(label="Mortgage" if chance.random() < right else "Credit card", weight=1 / inclusion)
                for _ in range(max(0, drawn))
            ]
        accuracy = figure(found, "accuracy")
        assert accuracy.low is not None and accuracy.high is not None
        covered += accuracy.low <= truth <= accuracy.high
    assert 0.93 <= covered / weeks <= 0.97
