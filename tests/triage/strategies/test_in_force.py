from typing import Any

import pytest

from tests.factories import any_arm, any_model_info, any_model_strategy, any_strategy
from triage.strategies.in_force import InForce, strategies_in_force
from triage.strategies.registry import CURRENT, VALIDATED, ModelInfo
from triage.strategies.strategy import Strategy

GOOD = any_strategy({"champion": 9_000, "challenger": 1_000})


def row(strategy: Strategy, entry: str = CURRENT, /, **values: Any) -> dict[str, Any]:
    return any_model_strategy(strategy, entry=entry).model_dump(mode="json") | values


def models_of(strategy: Strategy) -> list[ModelInfo]:
    return [any_model_info(model_id=arm.model_id, revision=arm.revision) for arm in strategy.all_arms]


def followed(found: InForce) -> Strategy:
    return found.strategies["product"].strategy


def test_the_current_strategy_is_in_force():
    found = strategies_in_force([row(GOOD), row(GOOD, VALIDATED)], models_of(GOOD))
    assert (followed(found), found.refused) == (GOOD, {})


def test_a_good_edit_by_hand_is_in_force():
    edited = any_strategy()
    found = strategies_in_force([row(edited), row(GOOD, VALIDATED)], models_of(GOOD))
    assert (followed(found), found.refused) == (edited, {})


@pytest.mark.parametrize(
    "bad",
    [
        {"note": "mine"},
        {"version": 0},
        {"strategy": "canary"},
        {"strategy": {**GOOD.model_dump(mode="json"), "colour": "blue"}},
        {"strategy": {**GOOD.model_dump(mode="json"), "champion": "nobody"}},
        {"strategy": any_strategy(task="issue").model_dump(mode="json")},
        {"strategy": any_strategy({"champion": 5_000, "unknown": 5_000}).model_dump(mode="json")},
        {"strategy": any_strategy(shadows={"unknown": 100}).model_dump(mode="json")},
    ],
)
def test_a_bad_edit_leaves_the_last_good_strategy_in_force_and_is_named(bad):
    found = strategies_in_force([row(GOOD, **bad), row(GOOD, VALIDATED)], models_of(GOOD))
    assert followed(found) == GOOD
    assert found.refused.keys() == {"product"}
    assert found.refused["product"]


def test_shares_that_do_not_sum_leave_the_last_good_strategy_in_force():
    document = GOOD.model_dump(mode="json")
    document["arms"][1]["share"] = 999
    found = strategies_in_force([row(GOOD, strategy=document), row(GOOD, VALIDATED)], models_of(GOOD))
    assert followed(found) == GOOD
    assert "9999" in found.refused["product"]


def test_a_model_that_is_retired_later_makes_no_bad_edit_of_what_was_validated():
    champion, _ = models_of(GOOD)
    found = strategies_in_force([row(GOOD), row(GOOD, VALIDATED)], [champion])
    assert (followed(found), found.refused) == (GOOD, {})


def test_a_malformed_row_that_nothing_was_validated_before_leaves_no_strategy():
    found = strategies_in_force([row(GOOD, strategy="canary")], models_of(GOOD))
    assert found.strategies == {}
    assert found.refused.keys() == {"product"}


def test_an_edit_that_names_an_absent_model_is_followed_where_there_is_no_other():
    champion, _ = models_of(GOOD)
    found = strategies_in_force([row(GOOD)], [champion])
    assert followed(found) == GOOD
    assert "'challenger'" in found.refused["product"]


def test_a_strategy_that_is_deleted_by_hand_is_withdrawn():
    assert strategies_in_force([row(GOOD, VALIDATED)], models_of(GOOD)) == InForce()


def test_a_bad_edit_of_one_task_touches_no_other():
    issue = any_strategy(task="issue")
    active = any_model_info(task="issue", model_id=any_arm().model_id, revision=any_arm().revision)
    found = strategies_in_force([row(GOOD, strategy=7), row(issue)], [*models_of(GOOD), active])
    assert found.strategies.keys() == {"issue"}
    assert found.refused.keys() == {"product"}
