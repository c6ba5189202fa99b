from collections.abc import Callable
from math import sqrt

import pytest

from tests.factories import NOW
from training.reviewer import Reviewer, Truth
from triage.feedback import Feedback
from triage.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
TRUTH = Truth(product="Mortgage", issue="Closing on a mortgage", vulnerable=True)
REVIEWS = 2_000

Statements = tuple[Feedback, Feedback]


def any_reviewer(**values) -> Reviewer:
    return Reviewer(**{"taxonomy": TAXONOMY, "error_rate": 0.2, "inclusion": 0.05, "seed": 1, **values})


def reviews(reviewer: Reviewer, truth: Truth = TRUTH) -> list[Statements]:
    return [reviewer.statements(f"c-{number}", truth, at=NOW) for number in range(REVIEWS)]


def test_a_review_is_blind_random_and_says_one_thing_after_the_other():
    (moved, flagged) = any_reviewer(error_rate=0).statements("8123456", TRUTH, at=NOW, version=3)
    assert (moved.kind, moved.product, moved.issue, moved.version) == ("reallocate", TRUTH.product, TRUTH.issue, 3)
    assert (flagged.kind, flagged.version) == ("set_vulnerable", 4)
    assert moved.feedback_id != flagged.feedback_id
    for said in (moved, flagged):
        assert (said.mode, said.stratum, said.inclusion, said.role) == ("blind", "random", 0.05, "simulated reviewer")
        said.check(TAXONOMY, product=TRUTH.product)


@pytest.mark.parametrize("error_rate", [0.02, 0.2, 0.5])
@pytest.mark.parametrize(
    "errs",
    [
        lambda moved, flagged: moved.product != TRUTH.product,
        lambda moved, flagged: moved.issue != TRUTH.issue if moved.product == TRUTH.product else None,
        lambda moved, flagged: flagged.kind == "clear_vulnerable",
    ],
    ids=["product", "issue", "vulnerable"],
)
def test_each_task_has_the_stated_error_rate(errs: Callable[..., bool | None], error_rate):
    judged = [wrong for said in reviews(any_reviewer(error_rate=error_rate)) if (wrong := errs(*said)) is not None]
    # Four standard deviations of a binomial.
    bound = 4 * sqrt(error_rate * (1 - error_rate) / len(judged))
    assert abs(sum(judged) / len(judged) - error_rate) < bound


@pytest.mark.parametrize(("error_rate", "right"), [(0, True), (1, False)])
def test_at_the_ends_of_the_rate_everything_is_right_or_wrong(error_rate, right):
    for moved, flagged in reviews(any_reviewer(error_rate=error_rate)):
        assert (moved.product == TRUTH.product) == (moved.issue == TRUTH.issue) == right
        assert (flagged.kind == "set_vulnerable") == right


def test_errors_in_different_tasks_are_independent():
    said = reviews(any_reviewer(error_rate=0.5))
    both = sum(m.product != TRUTH.product and f.kind == "clear_vulnerable" for m, f in said) / REVIEWS
    assert abs(both - 0.25) < 4 * sqrt(0.25 * 0.75 / REVIEWS)


def test_every_statement_names_a_label():
    for moved, flagged in reviews(any_reviewer(error_rate=0.5)):
        moved.check(TAXONOMY, product=None)
        flagged.check(TAXONOMY, product=None)


def test_the_same_seed_and_complaint_give_the_same_statements_in_any_order():
    said = reviews(any_reviewer())
    assert reviews(any_reviewer()) == said
    assert any_reviewer().statements("c-7", TRUTH, at=NOW) == said[7]


def labels_of(said: list[Statements]) -> list[tuple[str | None, str | None, str]]:
    return [(moved.product, moved.issue, flagged.kind) for moved, flagged in said]


def test_another_seed_is_another_reviewer():
    ours, theirs = reviews(any_reviewer()), reviews(any_reviewer(seed=2))
    assert labels_of(ours) != labels_of(theirs)
    assert not {said.feedback_id for said in ours[0]} & {said.feedback_id for said in theirs[0]}


@pytest.mark.parametrize("error_rate", [-0.1, 1.1])
def test_a_rate_is_a_probability(error_rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        any_reviewer(error_rate=error_rate)
