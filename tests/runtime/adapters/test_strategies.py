from datetime import UTC, datetime, timedelta

import pytest

from runtime.adapters.dynamodb import Table
from runtime.adapters.strategies import Strategies
from tests.factories import any_change, any_model_info, any_strategy
from tests.runtime.conftest import before
from triage.complaint import timestamp
from triage.errors import StrategyRefusedError
from triage.strategies.registry import ModelInfo
from triage.tables import CHAMPION_LEDGER, MODEL_INFO, MODEL_STRATEGY

SPECS = (MODEL_INFO, MODEL_STRATEGY, CHAMPION_LEDGER)
ALONE = any_strategy()
CANARY = any_strategy({"champion": 9_500, "next": 500})
CROWNED = any_strategy({"next": 10_000})


def of(session) -> Strategies:
    client = session.client("dynamodb")
    return Strategies(*(Table(client, spec, spec.name) for spec in SPECS))


@pytest.fixture
def strategies(cloud) -> Strategies:
    for number, arm in enumerate(CANARY.all_arms):
        state = "challenger" if number else "champion"
        cloud.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision, state=state))
    return of(cloud.session())


def states(cloud) -> dict[str, str]:
    rows = map(ModelInfo.model_validate, cloud.table(MODEL_INFO).scan())
    return {row.model_id.removeprefix("acme/"): row.state for row in rows}


def test_a_promotion_moves_strategy_ledger_and_states_together(strategies, cloud):
    strategies.change(any_change(CANARY), replaces=0)
    row, entry = strategies.change(any_change(CROWNED, kind="promote"), replaces=1)
    assert strategies.get("product") == row
    assert [e.kind for e in strategies.history("product")] == ["set", "promote"]
    assert (entry.champion, entry.previous) == (CROWNED.champion_arm.version, CANARY.champion_arm.version)
    assert states(cloud) == {"champion": "challenger", "next": "champion"}


def test_who_was_champion_on_a_date_is_one_query(strategies, cloud):
    _, first = strategies.change(any_change(CANARY), replaces=0)
    _, second = strategies.change(any_change(CROWNED, kind="promote"), replaces=1)
    asked: list[object] = []
    session = cloud.session()
    session.events.register("before-call.dynamodb.*", lambda **_: asked.append(1))
    moment = datetime.fromisoformat(second.valid_from)
    assert of(session).champion_at("product", moment) == second
    assert asked == [1]
    assert strategies.champion_at("product", moment - timedelta(milliseconds=1)) == first
    assert strategies.champion_at("product", datetime(2020, 1, 1, tzinfo=UTC)) is None


def test_a_change_asked_for_twice_is_made_once(strategies):
    strategies.change(any_change(CANARY), replaces=0)
    change = any_change(CROWNED, kind="promote", change_id="the same")
    made = strategies.change(change, replaces=1)
    assert strategies.change(change, replaces=1) == made
    assert len(list(strategies.history("product"))) == 2


def test_of_two_that_make_the_same_change_at_once_both_are_told_what_was_made(strategies, cloud):
    change = any_change(CANARY, change_id="the same")
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: strategies.change(change, replaces=0))
    _, entry = of(session).change(change, replaces=0)
    assert [entry] == list(strategies.history("product"))


def test_nothing_is_written_where_an_arm_is_retired_at_the_same_moment(strategies, cloud):
    session = cloud.session()
    arm = CANARY.challengers[0]
    retired = any_model_info(model_id=arm.model_id, revision=arm.revision, state="retired")
    before(session, "dynamodb.TransactWriteItems", lambda: cloud.table(MODEL_INFO).put(retired))
    with pytest.raises(StrategyRefusedError):
        of(session).change(any_change(CANARY), replaces=0)
    assert strategies.get("product") is None
    assert list(strategies.history("product")) == []


def test_a_ledger_whose_last_writer_was_ahead_stays_in_order(strategies, cloud):
    ahead = timestamp(datetime.now(UTC) + timedelta(hours=1))
    _, first = strategies.change(any_change(ALONE), replaces=0)
    cloud.table(CHAMPION_LEDGER).put(first.model_copy(update={"valid_from": ahead}))
    _, later = strategies.change(any_change(CANARY), replaces=1)
    assert later.valid_from > ahead
    assert list(strategies.history("product"))[-1] == later
