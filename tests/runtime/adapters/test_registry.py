from functools import partial

import boto3
import pytest

from runtime.adapters.dynamodb import Table
from runtime.adapters.registry import Registry
from tests.factories import any_arm, any_model_info, any_revision, any_strategy, put_in_force
from tests.runtime.conftest import Cloud, before
from triage.errors import RegistryError, StrategyRefusedError
from triage.strategies.registry import CURRENT, VALIDATED, ModelInfo, ModelStrategy
from triage.strategies.strategy import Strategy
from triage.tables import CHAMPION_LEDGER, MODEL_INFO, MODEL_STRATEGY

KEY = ("acme/model", any_revision())


@pytest.fixture
def registry(cloud) -> Registry:
    return of(cloud.session())


def of(session: boto3.Session) -> Registry:
    client = session.client("dynamodb")
    return Registry(*(Table(client, spec, spec.name) for spec in (MODEL_INFO, MODEL_STRATEGY, CHAMPION_LEDGER)))


def mirrored(cloud: Cloud, *key: str, **values: object) -> None:
    cloud.table(MODEL_INFO).put(any_model_info(model_id=key[0], revision=key[1], state="registered", **values))


def activate_arms(cloud: Cloud, strategy: Strategy) -> Strategy:
    for arm in strategy.all_arms:
        cloud.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision, task=strategy.task))
    return strategy


def test_a_registered_model_waits_for_its_bundle(registry):
    registry.register(*KEY, task="product", by="ann")
    model = registry.get(*KEY)
    assert (model.state, model.bundle, model.registered_by) == ("registered", None, "ann")
    assert registry.models() == [model]


def test_registering_again_asks_for_the_bundle_again_and_keeps_who_came_first(registry):
    registry.register(*KEY, task="product", by="ann")
    first = registry.get(*KEY)
    registry.register(*KEY, task="product", by="bob")
    (again,) = registry.models()
    assert again != first, "it is the change that the mirror is told of"
    assert (again.registered_at, again.registered_by, again.state) == (first.registered_at, "ann", "registered")


@pytest.mark.parametrize("state", ["champion", "retired"])
def test_registering_again_does_not_change_what_was_decided_since(registry, cloud, state):
    cloud.table(MODEL_INFO).put(any_model_info(state=state))
    registry.register(*KEY, task="product", by="bob")
    assert registry.get(*KEY) == any_model_info(state=state)


def test_a_version_belongs_to_one_task(registry):
    registry.register(*KEY, task="product", by="ann")
    with pytest.raises(RegistryError, match="registered for product"):
        registry.register(*KEY, task="issue", by="ann")


def test_registering_what_could_not_be_mirrored_tries_again(registry, cloud):
    cloud.table(MODEL_INFO).put(any_model_info(state="registered", bundle=None, failure="BundleUnavailableError: no"))
    registry.register(*KEY, task="product", by="ann")
    assert registry.get(*KEY).failure is None


@pytest.mark.parametrize(
    ("model_id", "revision", "task", "problem"),
    [
        ("nonsense", any_revision(), "product", "model_id"),
        ("acme/model", "main", "product", "revision"),
        ("acme/model", any_revision(), "Product!", "task"),
    ],
)
def test_an_invalid_version_is_refused_with_its_field(registry, model_id, revision, task, problem):
    with pytest.raises(RegistryError, match=problem):
        registry.register(model_id, revision, task=task, by="ann")
    assert registry.models() == []


def test_an_unknown_version_is_named(registry):
    for change in (registry.get, partial(registry.activate, by="ann"), partial(registry.retire, by="ann")):
        with pytest.raises(RegistryError, match="not registered"):
            change(*KEY)


def test_a_model_is_not_activated_before_it_is_mirrored(registry, cloud):
    registry.register(*KEY, task="product", by="ann")
    with pytest.raises(RegistryError, match="not mirrored: wait"):
        registry.activate(*KEY, by="ann")
    cloud.table(MODEL_INFO).put(any_model_info(state="registered", bundle=None, failure="BundleUnsafeError: pickles"))
    with pytest.raises(RegistryError, match="pickles"):
        registry.activate(*KEY, by="ann")
    assert registry.get(*KEY).state == "registered"


def test_a_mirrored_model_is_activated_and_dated(registry, cloud):
    mirrored(cloud, *KEY, activated_at=None)
    registry.activate(*KEY, by="ann")
    model = registry.get(*KEY)
    assert model.state == "champion"
    assert model.activated_at


def test_activating_twice_keeps_the_first_date(registry, cloud):
    cloud.table(MODEL_INFO).put(any_model_info())
    registry.activate(*KEY, by="ann")
    assert registry.get(*KEY) == any_model_info()


def test_a_retired_model_keeps_its_bundle_and_can_return(registry, cloud):
    cloud.table(MODEL_INFO).put(any_model_info())
    registry.retire(*KEY, by="ann")
    assert registry.get(*KEY) == any_model_info(state="retired")
    registry.activate(*KEY, by="ann")
    assert registry.get(*KEY).state == "champion"


def test_a_model_that_a_strategy_names_is_not_retired(registry, cloud):
    strategy = activate_arms(cloud, any_strategy({"champion": 9_000, "challenger": 1_000}))
    put_in_force(registry, strategy, by="ann", replaces=0)
    for arm in strategy.arms:
        with pytest.raises(RegistryError, match="change the strategy first"):
            registry.retire(arm.model_id, arm.revision, by="ann")
        assert registry.get(arm.model_id, arm.revision).state == arm.name
    put_in_force(registry, any_strategy({"champion": 10_000}), by="ann", replaces=1)
    registry.retire("acme/challenger", any_revision("challenger"), by="ann")


@pytest.mark.parametrize("change", ["activate", "retire"])
@pytest.mark.parametrize("others", [(), ("acme/other",)])
def test_of_two_changes_at_once_one_is_refused(cloud, registry, change, others):
    for model_id in others:
        cloud.table(MODEL_INFO).put(any_model_info(model_id=model_id))
    mirrored(cloud, *KEY)
    session = cloud.session()
    for operation in ("UpdateItem", "TransactWriteItems"):
        before(session, f"dynamodb.{operation}", lambda: registry.activate(*KEY, by="ann"))
    with pytest.raises(RegistryError, match="somebody else"):
        getattr(of(session), change)(*KEY, by="bob")
    assert registry.get(*KEY).state == ("challenger" if others else "champion")


def test_a_model_that_a_strategy_names_in_that_moment_is_not_retired(registry, cloud):
    strategy = activate_arms(cloud, any_strategy({"champion": 9_000, "challenger": 1_000}))
    arm = strategy.arms[1]
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: put_in_force(registry, strategy, by="ann", replaces=0))
    with pytest.raises(RegistryError, match="look again"):
        of(session).retire(arm.model_id, arm.revision, by="bob")
    assert registry.get(arm.model_id, arm.revision).state == "challenger"
    in_force = registry.strategies.get("product")
    assert in_force and arm.version in {one.version for one in in_force.strategy.all_arms}


@pytest.mark.parametrize("first", ["activate", "retire"])
def test_a_champion_that_retires_while_another_is_activated_leaves_no_task_without_one(registry, cloud, first):
    other = ("acme/other", any_revision())
    cloud.table(MODEL_INFO).put(any_model_info(model_id=other[0], revision=other[1], state="champion"))
    mirrored(cloud, *KEY)
    session = cloud.session()

    def activate(one):
        one.activate(*KEY, by="ann")

    def retire(one):
        one.retire(*other, by="bob")

    mine, other_change = (activate, retire) if first == "activate" else (retire, activate)
    before(session, "dynamodb.TransactWriteItems", lambda: other_change(registry))
    with pytest.raises(RegistryError, match="look again"):
        mine(of(session))
    mine(registry)
    assert [registry.get(*key).state for key in (other, KEY)] == ["retired", "champion"]


def test_of_two_models_that_would_both_be_the_first_one_is_champion(cloud, registry):
    other = ("acme/other", any_revision())
    mirrored(cloud, *KEY)
    mirrored(cloud, *other)
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: registry.activate(*other, by="ann"))
    with pytest.raises(RegistryError, match="look again"):
        of(session).activate(*KEY, by="bob")
    of(session).activate(*KEY, by="bob")
    assert [registry.get(*key).state for key in (other, KEY)] == ["champion", "challenger"]
    assert [entry.champion for entry in registry.strategies.history("product")] == [registry.get(*other).version]


def test_a_task_of_more_versions_than_a_transaction_holds_gets_a_champion(cloud, registry):
    for number in range(100):
        mirrored(cloud, "acme/old", any_revision(number))
    mirrored(cloud, *KEY)
    registry.activate(*KEY, by="ann")
    assert registry.get(*KEY).state == "champion"


def test_a_model_that_only_shadows_is_not_retired_either(registry, cloud):
    strategy = activate_arms(cloud, any_strategy(shadows={"next": 100}))
    put_in_force(registry, strategy, by="ann", replaces=0)
    (shadow,) = strategy.shadows
    with pytest.raises(RegistryError, match="change the strategy first"):
        registry.retire(shadow.model_id, shadow.revision, by="ann")


def test_what_was_validated_last_is_kept_beside_what_may_be_edited(registry, cloud):
    strategy = activate_arms(cloud, any_strategy())
    table = cloud.table(MODEL_STRATEGY)
    for seen in (0, 1):
        changed = put_in_force(registry, strategy, by="ann", replaces=seen)
        kept = ModelStrategy.model_validate(table.get("product", VALIDATED))
        assert kept == changed.model_copy(update={"entry": VALIDATED})
    assert registry.strategies.all() == [changed]


def test_what_was_validated_is_replaced_after_the_strategy_was_deleted_by_hand(registry, cloud):
    for arm in ("champion", "other"):
        strategy = activate_arms(cloud, any_strategy({arm: 10_000}))
        put_in_force(registry, strategy, by="ann", replaces=0)
        kept = ModelStrategy.model_validate(cloud.table(MODEL_STRATEGY).get("product", VALIDATED))
        assert kept.strategy == strategy
        client = cloud.session().client("dynamodb")
        key = {"task": {"S": "product"}, "entry": {"S": CURRENT}}
        client.delete_item(TableName=MODEL_STRATEGY.name, Key=key)


def test_a_strategy_counts_its_versions(registry, cloud):
    strategy = activate_arms(cloud, any_strategy())
    for version in (1, 2, 3):
        changed = put_in_force(registry, strategy, by="ann", replaces=version - 1)
        assert changed.version == version
        assert registry.strategies.get("product") == changed
    assert registry.strategies.all() == [registry.strategies.get("product")]
    assert registry.strategies.get("issue") is None


@pytest.mark.parametrize("seen", [0, 1, 3])
def test_whoever_saw_another_version_is_refused(registry, cloud, seen):
    strategy = activate_arms(cloud, any_strategy())
    for replaces in (0, 1):
        put_in_force(registry, strategy, by="ann", replaces=replaces)
    with pytest.raises(StrategyRefusedError, match="look again"):
        put_in_force(registry, strategy, by="bob", replaces=seen)
    assert registry.strategies.get("product").changed_by == "ann"


@pytest.mark.parametrize("replaces", [0, 1])
def test_of_two_writers_at_once_one_wins(registry, cloud, replaces):
    strategy = activate_arms(cloud, any_strategy())
    if replaces:
        put_in_force(registry, strategy, by="eve", replaces=0)
    session = cloud.session()
    faster = partial(put_in_force, registry, strategy, by="ann", replaces=replaces)
    before(session, "dynamodb.TransactWriteItems", faster)
    with pytest.raises(StrategyRefusedError, match="look again"):
        put_in_force(of(session), strategy, by="bob", replaces=replaces)
    current = registry.strategies.get("product")
    assert (current.changed_by, current.version) == ("ann", replaces + 1)


@pytest.mark.parametrize("values", [{"state": "registered"}, {"state": "retired"}, {"task": "issue"}])
def test_an_arm_that_is_not_active_for_the_task_is_refused(registry, cloud, values):
    cloud.table(MODEL_INFO).put(any_model_info(**values))
    strategy = any_strategy(arms=(any_arm(model_id="acme/model", revision=any_revision()),))
    with pytest.raises(StrategyRefusedError, match="not active for product"):
        put_in_force(registry, strategy, by="ann", replaces=0)
    assert registry.strategies.all() == []


def test_models_are_listed_by_task_and_bad_rows_are_left_out(registry, cloud):
    for task, name in (("product", "b"), ("issue", "c"), ("product", "a")):
        cloud.table(MODEL_INFO).put(any_model_info(task=task, model_id=f"acme/{name}"))
    cloud.table(MODEL_INFO).put({"model_id": "acme/bad", "revision": "main", "task": "product"})
    assert [(model.task, model.model_id) for model in registry.models()] == [
        ("issue", "acme/c"),
        ("product", "acme/a"),
        ("product", "acme/b"),
    ]


def test_a_row_written_by_hand_needs_three_values(registry, cloud):
    cloud.table(MODEL_INFO).put({"model_id": KEY[0], "revision": KEY[1], "task": "product"})
    assert registry.get(*KEY) == ModelInfo(model_id=KEY[0], revision=KEY[1], task="product")


def test_a_bad_row_is_refused_by_name(registry, cloud):
    cloud.table(MODEL_INFO).put({"model_id": KEY[0], "revision": KEY[1], "task": "Product"})
    with pytest.raises(RegistryError):
        registry.get(*KEY)


def test_a_bad_strategy_hides_no_other(registry, cloud):
    strategy = activate_arms(cloud, any_strategy())
    put_in_force(registry, strategy, by="ann", replaces=0)
    cloud.table(MODEL_STRATEGY).put({"task": "issue", "entry": CURRENT})
    assert [found.task for found in registry.strategies.all()] == ["product"]
