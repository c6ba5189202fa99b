import pytest
from pydantic import ValidationError

from triage.promotion.gates import Gates, Guardrails, Schedule


def test_a_challenger_has_to_be_better_unless_it_brings_something_else():
    assert Gates().claim == "superiority"
    assert Gates(claim="non_inferiority", brings="half the cost").brings == "half the cost"


@pytest.mark.parametrize(
    "values", [{"claim": "non_inferiority"}, {"brings": "cheaper"}, {"claim": "non_inferiority", "brings": ""}]
)
def test_brings_is_required_for_non_inferiority_and_refused_for_superiority(values):
    with pytest.raises(ValidationError, match="brings"):
        Gates(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"margin": 0.0},
        {"alpha": 0.0},
        {"alpha": 0.5},
        {"min_labels": 0},
        {"min_hours": -1},
        {"min_inclusion": 0},
        {"min_inclusion": 1.1},
        {"min_group": 0},
        {"labels": "assisted"},
    ],
)
def test_gates_that_would_let_everything_or_nothing_through_are_refused(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        Gates(**values)


@pytest.mark.parametrize("values", [{"min_predictions": 0}, {"max_error_increase": -0.1}, {"max_p95_ratio": 0.5}])
def test_guardrails_that_a_twin_of_the_champion_would_breach_are_refused(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        Guardrails(**values)


@pytest.mark.parametrize("steps", [(0, 100), (100, 100), (500, 100), (100, 10_000)])
def test_a_schedule_only_widens_and_ends_short_of_the_whole_traffic(steps):
    with pytest.raises(ValidationError, match="wider than the one before"):
        Schedule(steps=steps)


def test_a_schedule_may_lead_from_the_shadow_to_the_whole_traffic_at_once():
    assert Schedule(steps=()).steps == ()
