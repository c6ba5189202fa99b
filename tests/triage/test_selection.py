from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import (
    NOW,
    any_arm,
    any_complaint,
    any_model_info,
    any_model_strategy,
    any_revision,
    any_strategy,
)
from triage.complaint import Complaint
from triage.selection import select_models
from triage.story import SelectionEntry
from triage.strategies.registry import ModelInfo, ModelStrategy
from triage.strategies.strategy import Strategy, assign, sample
from triage.vulnerability import stated


def select(
    *active: ModelInfo, complaint: Complaint | None = None, strategies: tuple[ModelStrategy, ...] = ()
) -> SelectionEntry:
    return select_models(
        complaint or any_complaint(),
        active=active,
        strategies={strategy.task: strategy for strategy in strategies},
        now=NOW,
        code_version="test",
    )


def models_of(strategy: Strategy) -> list[ModelInfo]:
    return [
        any_model_info(model_id=arm.model_id, revision=arm.revision, task=strategy.task) for arm in strategy.all_arms
    ]


def subject_of(arm: str, strategy: Strategy) -> str:
    """Return a subject whose complaints this arm answers."""
    return next(str(n) for n in range(10_000) if assign(strategy, str(n)).arm.name == arm)


def test_without_a_strategy_the_model_that_is_active_longest_answers():
    old, young = (
        any_model_info(revision=any_revision(year), activated_at=f"{year}-01-01T00:00:00.000Z") for year in (2024, 2026)
    )
    (model,) = select(young, old).models
    assert model.revision == old.revision
    assert (model.arm, model.bucket, model.strategy_version) == (None, None, None)


def test_a_row_without_a_time_comes_after_those_with_one():
    timed = any_model_info(revision="f" * 40, activated_at="2026-01-01T00:00:00.000Z")
    by_hand = any_model_info(revision="0" * 40, activated_at=None)
    (model,) = select(by_hand, timed).models
    assert model.revision == timed.revision


@pytest.mark.parametrize("arm", ["champion", "challenger"])
def test_the_assigned_arm_answers(arm):
    strategy = any_strategy({"champion": 6_000, "challenger": 4_000})
    complaint = any_complaint(customer_id=subject_of(arm, strategy))
    selection = select(*models_of(strategy), complaint=complaint, strategies=(any_model_strategy(strategy, version=7),))
    (model,) = selection.models
    assert (model.arm, model.model_id, model.strategy_version) == (arm, f"acme/{arm}", 7)
    assert model.bucket == assign(strategy, complaint.subject).bucket


def test_a_customer_stays_with_one_model_whatever_the_complaint():
    strategy = any_strategy({"champion": 5_000, "challenger": 5_000})
    arms = {
        select(
            *models_of(strategy),
            complaint=any_complaint(customer_id="c-1", complaint_id=str(number)),
            strategies=(any_model_strategy(strategy),),
        ).models
        for number in range(20)
    }
    assert len(arms) == 1


def test_a_retired_arm_falls_back_to_the_champion():
    strategy = any_strategy({"champion": 5_000, "challenger": 5_000})
    champion, challenger = models_of(strategy)
    complaint = any_complaint(customer_id=subject_of("challenger", strategy))
    for gone in (challenger.model_copy(update={"state": "retired"}), challenger.model_copy(update={"bundle": None})):
        (model,) = select(champion, gone, complaint=complaint, strategies=(any_model_strategy(strategy),)).models
        assert (model.arm, model.model_id) == ("champion", champion.model_id)


def test_the_champion_stands_in_for_a_challenger_that_answers():
    strategy = any_strategy({"champion": 5_000, "challenger": 5_000})
    subject = subject_of("challenger", strategy)
    complaint = any_complaint(customer_id=subject)
    (model,) = select(
        *models_of(strategy), complaint=complaint, strategies=(any_model_strategy(strategy, version=7),)
    ).models
    assert model.arm == "challenger"
    assert model.stand_in is not None
    assert (model.stand_in.arm, model.stand_in.model_id) == ("champion", "acme/champion")
    assert (model.stand_in.bucket, model.stand_in.strategy_version) == (model.bucket, 7)


@pytest.mark.parametrize("values", [{"state": "retired"}, {"bundle": None}])
def test_a_champion_that_is_not_there_any_more_stands_in_for_nobody(values):
    strategy = any_strategy({"champion": 5_000, "challenger": 5_000})
    champion, challenger = models_of(strategy)
    complaint = any_complaint(customer_id=subject_of("challenger", strategy))
    gone = champion.model_copy(update=values)
    (model,) = select(gone, challenger, complaint=complaint, strategies=(any_model_strategy(strategy),)).models
    assert (model.arm, model.stand_in) == ("challenger", None)


def test_nobody_stands_in_for_the_champion_or_for_a_shadow():
    strategy = any_strategy({"champion": 9_000, "challenger": 1_000}, shadows={"next": 10_000})
    complaint = any_complaint(customer_id=subject_of("champion", strategy))
    selection = select(*models_of(strategy), complaint=complaint, strategies=(any_model_strategy(strategy),))
    (model,), (shadow,) = selection.models, selection.shadows
    assert (model.arm, model.stand_in) == ("champion", None)
    assert (shadow.arm, shadow.stand_in) == ("next", None)


def test_a_strategy_whose_models_are_all_gone_leaves_the_longest_active():
    strategy = any_model_strategy(any_strategy({"champion": 5_000, "challenger": 5_000}))
    (model,) = select(any_model_info(model_id="acme/other"), strategies=(strategy,)).models
    assert (model.model_id, model.arm) == ("acme/other", None)


def test_a_strategy_of_one_task_does_not_touch_another():
    strategy = any_strategy({"champion": 10_000})
    issue = any_model_info(model_id="acme/issue", task="issue")
    models = select(*models_of(strategy), issue, strategies=(any_model_strategy(strategy),)).models
    assert {(model.task, model.arm) for model in models} == {("product", "champion"), ("issue", None)}


def test_another_revision_of_an_arms_model_is_not_the_arm():
    strategy = any_strategy({"champion": 10_000})
    other = any_model_info(model_id="acme/champion", revision=any_revision("other"))
    (model,) = select(other, strategies=(any_model_strategy(strategy),)).models
    assert model.arm is None


@pytest.mark.parametrize("values", [{"bundle": None}, {"state": "retired"}, {"state": "registered"}])
def test_a_model_that_is_not_active_and_mirrored_takes_no_part(values):
    assert select(any_model_info(**values)).models == ()


@pytest.mark.parametrize("narrative", [None, "", 7])
def test_a_complaint_that_cannot_be_read_is_judged_by_no_model(narrative):
    selection = select(any_model_info(), complaint=any_complaint(narrative=narrative, tags="Servicemember"))
    assert selection.models == ()
    assert selection.unreadable
    assert selection.stated, "vulnerability that is stated beside the narrative still counts"


def test_what_was_stated_and_doubted_is_recorded():
    complaint = any_complaint(narrative="I am a veteran.", tags=7)
    selection = select(complaint=complaint)
    assert selection.stated == stated(complaint) != ()
    assert selection.doubts == complaint.doubts != ()


def shadowed(*, share: int = 10_000) -> ModelStrategy:
    return any_model_strategy(any_strategy(shadows={"next": share}), version=3)


def test_a_sampled_shadow_is_recorded_with_arm_and_bucket_and_answers_nothing():
    selection = select(*models_of(shadowed().strategy), strategies=(shadowed(),))
    (model,), (shadow,) = selection.models, selection.shadows
    assert (model.arm, model.shadow) == ("champion", False)
    assert (shadow.arm, shadow.strategy_version, shadow.shadow) == ("next", 3, True)
    (sampled,) = sample(shadowed().strategy, selection.subject)
    assert shadow.bucket == sampled.bucket


def test_a_shadow_that_is_not_sampled_takes_no_part():
    selection = select(*models_of(shadowed().strategy), strategies=(shadowed(share=0),))
    assert (selection.shadows, selection.missing_shadows) == ((), ())


@pytest.mark.parametrize("values", [{"state": "retired"}, {"bundle": None}])
def test_a_shadow_that_is_not_there_any_more_is_skipped_and_named(values):
    champion, challenger = models_of(shadowed().strategy)
    selection = select(champion, challenger.model_copy(update=values), strategies=(shadowed(),))
    assert [model.arm for model in selection.models] == ["champion"]
    assert (selection.shadows, selection.missing_shadows) == ((), ("product/next",))


def test_a_model_that_answers_for_want_of_another_is_no_shadow_of_itself():
    _, challenger = models_of(shadowed().strategy)
    selection = select(challenger, strategies=(shadowed(),))
    assert [model.model_id for model in selection.models] == [challenger.model_id]
    assert selection.shadows == ()


def test_a_complaint_that_cannot_be_read_has_no_shadows():
    complaint = any_complaint(narrative=None)
    selection = select(*models_of(shadowed().strategy), complaint=complaint, strategies=(shadowed(),))
    assert (selection.shadows, selection.missing_shadows) == ((), ())


TASKS = st.sampled_from(["product", "issue", "vulnerable", "urgency"])
MODELS = st.builds(
    any_model_info,
    task=TASKS,
    model_id=st.sampled_from(["acme/champion", "acme/challenger", "acme/other"]),
    revision=st.sampled_from([any_revision(name) for name in ("champion", "challenger", "other")]),
    state=st.sampled_from(["registered", "challenger", "champion", "retired"]),
    bundle=st.sampled_from([None, any_model_info().bundle]),
    activated_at=st.none() | st.text(max_size=3),
)
STRATEGIES = st.builds(
    lambda task: any_model_strategy(
        any_strategy(task=task, kind="ab", arms=(any_arm(share=5_000), any_arm("challenger", share=5_000)))
    ),
    TASKS,
)


@given(st.lists(MODELS, max_size=8), st.lists(STRATEGIES, max_size=3).map(tuple), st.text(max_size=5))
def test_exactly_one_mirrored_active_model_answers_for_each_task(models, strategies, customer):
    selection = select(*models, complaint=any_complaint(customer_id=customer), strategies=strategies)
    candidates = {(m.task, m.model_id, m.revision) for m in models if m.takes_part}
    chosen = [(m.task, m.model_id, m.revision) for m in selection.models]
    assert set(chosen) <= candidates
    assert sorted(task for task, *_ in chosen) == sorted({task for task, *_ in candidates})


@given(st.lists(MODELS, max_size=8), st.lists(STRATEGIES, max_size=3).map(tuple), st.text(max_size=5))
def test_a_stand_in_is_another_active_model_of_the_task_and_has_none_itself(models, strategies, customer):
    selection = select(*models, complaint=any_complaint(customer_id=customer), strategies=strategies)
    candidates = {(m.task, m.version) for m in models if m.takes_part}
    for model in selection.models:
        assert (model.stand_in is None) or (model.arm == "challenger")
        if model.stand_in is not None:
            assert (model.stand_in.arm, model.stand_in.stand_in) == ("champion", None)
            assert model.stand_in.version != model.version
            assert (model.task, model.stand_in.version) in candidates
            assert model.stand_in.task == model.task


@given(st.lists(MODELS, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing_where_they_differ(models, random):
    rows = list({(m.model_id, m.revision): m for m in models}.values())
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert select(*rows) == select(*shuffled)


def test_the_champion_answers_for_everybody_once_an_ab_test_has_ended():
    shares = {"champion": 1, "b": 5_000, "c": 4_999}
    models = [any_model_info(model_id=f"acme/{name}", revision=any_revision(name)) for name in shares]
    for ends_at, expected in ((NOW, {"champion"}), (NOW + timedelta(seconds=1), {"b", "c"})):
        strategy = any_model_strategy(any_strategy(shares, ends_at=ends_at))
        subjects = (any_complaint(complaint_id=f"c-{number}") for number in range(50))
        arms = {select(*models, complaint=one, strategies=(strategy,)).models[0].arm for one in subjects}
        assert arms == expected
