"""Calls the functions of a promotion in the order of their state machine."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime import change_strategy, check_strategy, schedule_promotions, weigh_evidence
from runtime.adapters.registry import Registry
from tests.factories import (
    any_allocation,
    any_feedback,
    any_model_info,
    any_model_reference,
    any_prediction,
    any_strategy,
    put_in_force,
)
from tests.runtime.conftest import EVIDENCE, Cloud
from triage.complaint import timestamp
from triage.errors import THROTTLED, NotServedError, StrategyRefusedError
from triage.promotion.evidence import Evidence
from triage.promotion.gates import Gates, Guardrails, Schedule
from triage.promotion.steps import Changed, Due, Weighed
from triage.story import Drawn, FailureEntry, FeedbackEntry, PredictionEntry
from triage.strategies.registry import CURRENT, ModelInfo
from triage.strategies.strategy import Arm, Strategy
from triage.tables import CHAMPION_LEDGER, COMPLAINTS_ALLOCATION, MODEL_INFO, MODEL_STRATEGY

GATES = Gates(margin=0.3, min_labels=30, min_hours=0, min_inclusion=1.0, min_group=1_000)
EAGER: dict[str, Any] = {
    "gates": GATES,
    "guardrails": Guardrails(min_predictions=5),
    "schedule": Schedule(steps=(2_500,), bake_minutes=0),
}
SHADOWED = any_strategy(shadows={"next": 10_000}, **EAGER)
CANARY = any_strategy({"champion": 7_500, "next": 2_500}, **EAGER)
NEXT = CANARY.challengers[0]
CHAMPION = CANARY.champion_arm
DUE = Due(task="product").model_dump(mode="json")


@pytest.fixture
def registry(cloud) -> Registry:
    for arm, state in ((CHAMPION, "champion"), (NEXT, "challenger")):
        cloud.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision, state=state))
    return Registry(*(cloud.table(spec) for spec in (MODEL_INFO, MODEL_STRATEGY, CHAMPION_LEDGER)))


def weigh(cloud: Cloud) -> Weighed:
    return Weighed.model_validate(weigh_evidence.build(cloud.weigh_evidence, cloud.session())(DUE, None))


def change(cloud: Cloud, weighed: Weighed, *, second_approver: bool = False) -> Changed:
    told = cloud.change_strategy(second_approver=second_approver)
    return Changed.model_validate(change_strategy.build(told, cloud.session())(weighed.model_dump(mode="json"), None))


def check(cloud: Cloud, changed: Changed) -> Changed:
    event = changed.model_dump(mode="json")
    return Changed.model_validate(check_strategy.build(cloud.check_strategy, cloud.session())(event, None))


def predicted(complaint_id: str, arm: Arm, label: str, *, shadow: bool, bucket: int) -> PredictionEntry:
    model = any_model_reference(
        model_id=arm.model_id, revision=arm.revision, arm=arm.name, bucket=bucket, strategy_version=1, shadow=shadow
    )
    return any_prediction(
        complaint_id=complaint_id, model=model, label=label, predicted_at=timestamp(datetime.now(UTC))
    )


def labelled(complaint_id: str, product: str, **said: Any) -> FeedbackEntry:
    now = timestamp(datetime.now(UTC))
    default = {"kind": "reallocate", "mode": "blind", "stratum": "random", "inclusion": 1.0, "product": product}
    return FeedbackEntry(
        complaint_id=complaint_id,
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at=now,
        labelled_on=now[:10],
        labels={"product": product},
        feedback=any_feedback(complaint_id=complaint_id, **{**default, **said}),
    )


def observe(
    cloud: Cloud,
    count: int,
    *,
    champion: str,
    challenger: str,
    truth: str = "Mortgage",
    drawn: float | None = 1.0,
    reviewers: int = 4,
    **said: Any,
) -> None:
    """Store labelled complaints with the champion's answers and a shadow's predictions.

    drawn: the probability with which the system drew each of them.
    """
    how = Drawn(stratum="random", inclusion=drawn) if drawn else None
    story = cloud.table(COMPLAINTS_ALLOCATION)
    for number in range(count):
        complaint_id = f"c-{number}"
        for entry in (
            any_allocation(complaint_id=complaint_id, product=truth, drawn=how),
            predicted(complaint_id, CHAMPION, champion, shadow=False, bucket=number),
            predicted(complaint_id, NEXT, challenger, shadow=True, bucket=number),
            labelled(complaint_id, truth, by=f"reviewer {number % reviewers}", **said),
        ):
            story.put(entry)


def failed(cloud: Cloud, count: int, *, error: str = "ModelFailedError") -> None:
    for number in range(count):
        model = any_model_reference(model_id=NEXT.model_id, revision=NEXT.revision, arm="next", bucket=number)
        cloud.table(COMPLAINTS_ALLOCATION).put(
            FailureEntry(
                complaint_id=f"f-{number}",
                entry=FailureEntry.key(model),
                code_version="test",
                model=model,
                failed_version=model.version,
                error=error,
                failed_at=timestamp(datetime.now(UTC)),
            )
        )


def in_force(registry: Registry) -> Strategy:
    row = registry.strategies.get("product")
    assert row is not None
    return row.strategy


def test_a_challenger_that_is_better_leaves_the_shadow_and_its_evidence_is_kept(cloud, registry):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage")
    weighed = weigh(cloud)
    assert (weighed.acts, weighed.verdict, weighed.challenger, weighed.course.kind) == (
        True,
        "promote",
        "next",
        "widen",
    )
    assert weighed.evidence is not None
    stored = cloud.session().client("s3").get_object(Bucket=EVIDENCE, Key=weighed.evidence.key)["Body"].read()
    assert hashlib.sha256(stored).hexdigest() == weighed.evidence.sha256
    assert Evidence.model_validate_json(stored).labels == 60

    changed = check(cloud, change(cloud, weighed))
    assert (changed.kind, changed.champion, changed.actor) == ("widen", CHAMPION.version, "promotion-engine")
    strategy = in_force(registry)
    assert (strategy.kind, strategy.challengers[0].share) == ("canary", 2_500)
    assert registry.strategies.get("product").earned
    assert list(registry.strategies.history("product"))[-1].evidence == weighed.evidence


def test_a_step_that_is_tried_again_changes_nothing_more(cloud, registry):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage")
    weighed = weigh(cloud)
    assert change(cloud, weighed) == change(cloud, weighed)
    assert len(list(registry.strategies.history("product"))) == 2


def test_a_challenger_that_is_worse_is_taken_out(cloud, registry):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Mortgage", challenger="Student loan")
    changed = change(cloud, weigh(cloud))
    assert (changed.kind, changed.champion) == ("stop", CHAMPION.version)
    assert in_force(registry).kind == "single"


@pytest.mark.parametrize(
    "said",
    [{"drawn": None}, {"drawn": None, "inclusion": 1.0}, {"mode": "assisted"}, {"drawn": 0.5}],
    ids=["not drawn", "said to be drawn", "assisted", "too rare"],
)
def test_labels_that_represent_nobody_or_lean_towards_the_answer_promote_nobody(cloud, registry, said):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage", **said)
    weighed = weigh(cloud)
    assert (weighed.acts, weighed.verdict) == (False, "inconclusive")
    assert weighed.evidence is None


def test_what_feedback_says_of_the_draw_changes_no_weight(cloud, registry):
    """Forty forged statements that claim to stand for many others weigh as much as forty honest ones."""
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage", stratum="vulnerable", inclusion=0.001)
    assert weigh(cloud).verdict == "promote"


def test_a_verdict_that_one_person_gave_holds_and_names_them(cloud, registry):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage", reviewers=1)
    weighed = weigh(cloud)
    assert (weighed.acts, weighed.verdict) == (False, "hold")
    assert (
        "the verdict hangs on reviewer 0, who gave 100% of the labels by weight (50% at most)" in weighed.course.reason
    )


def test_a_challenger_that_was_not_asked_because_of_a_backlog_is_not_rolled_back(cloud, registry):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    failed(cloud, 60, error=THROTTLED)
    weighed = weigh(cloud)
    assert (weighed.acts, weighed.verdict) == (False, "inconclusive")


def test_a_challenger_that_fails_is_rolled_back_without_a_label(cloud, registry):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    failed(cloud, 6)
    weighed = weigh(cloud)
    assert (weighed.verdict, weighed.course.kind) == ("roll_back", "roll_back")
    assert "6 of 6 failed" in weighed.course.reason
    changed = check(cloud, change(cloud, weighed))
    assert changed.champion == CHAMPION.version
    assert in_force(registry).arms == (CHAMPION.model_copy(update={"share": 10_000}),)


def test_a_canary_that_earned_it_and_baked_becomes_champion(cloud, registry):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage")
    change(cloud, weigh(cloud))
    assert not weigh(cloud).acts, "it has answered nothing yet"
    story = cloud.table(COMPLAINTS_ALLOCATION)
    for number in range(6):
        story.put(predicted(f"n-{number}", NEXT, "Mortgage", shadow=False, bucket=number))
        story.put(predicted(f"m-{number}", CHAMPION, "Student loan", shadow=False, bucket=9_000 + number))
    changed = check(cloud, change(cloud, weigh(cloud)))
    assert (changed.kind, changed.champion, changed.previous) == ("promote", NEXT.version, CHAMPION.version)
    rows = map(ModelInfo.model_validate, cloud.table(MODEL_INFO).scan())
    assert {row.version: row.state for row in rows} == {NEXT.version: "champion", CHAMPION.version: "challenger"}


def test_where_two_people_are_asked_for_a_new_champion_is_proposed_once(cloud, registry):
    at_once = SHADOWED.model_copy(update={"schedule": Schedule(steps=(), bake_minutes=0)})
    put_in_force(registry, at_once, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage")
    proposed = check(cloud, change(cloud, weigh(cloud), second_approver=True))
    assert (proposed.kind, proposed.champion) == ("propose", CHAMPION.version)
    assert in_force(registry) == at_once
    again = weigh(cloud)
    assert again.course.kind == "promote" and not again.acts


def test_letting_in_a_challenger_needs_no_second_person(cloud, registry):
    put_in_force(registry, SHADOWED, by="ann", replaces=0)
    observe(cloud, 60, champion="Student loan", challenger="Mortgage")
    assert change(cloud, weigh(cloud), second_approver=True).kind == "widen"


def test_evidence_about_a_strategy_that_is_not_in_force_any_more_changes_nothing(cloud, registry):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    failed(cloud, 6)
    weighed = weigh(cloud)
    put_in_force(registry, SHADOWED, by="bob", replaces=1)
    with pytest.raises(StrategyRefusedError, match="look again"):
        change(cloud, weighed)
    assert in_force(registry) == SHADOWED


def test_a_change_that_is_not_in_force_is_an_error(cloud, registry):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    failed(cloud, 6)
    changed = change(cloud, weigh(cloud))
    row = {"task": "product", "entry": CURRENT, "strategy": {"arms": []}}
    cloud.table(MODEL_STRATEGY).put(row)
    with pytest.raises(NotServedError, match="not in force"):
        check(cloud, changed)


def test_a_champion_that_does_not_take_part_is_an_error(cloud, registry):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    failed(cloud, 6)
    changed = change(cloud, weigh(cloud))
    retired = any_model_info(model_id=CHAMPION.model_id, revision=CHAMPION.revision, state="retired")
    cloud.table(MODEL_INFO).put(retired)
    with pytest.raises(NotServedError, match="does not take part"):
        check(cloud, changed)


@pytest.mark.parametrize("strategy", [None, any_strategy()], ids=["none", "single"])
def test_without_a_challenger_there_is_nothing_to_weigh(cloud, registry, strategy):
    if strategy is not None:
        put_in_force(registry, strategy, by="ann", replaces=0)
    weighed = weigh(cloud)
    assert (weighed.acts, weighed.challenger) == (False, None)


@pytest.mark.parametrize(
    ("arm", "bucket", "problem"),
    [(CHAMPION, 0, "ServedNotIntended"), (CHAMPION, 9_000, "EmptyArm"), (CHAMPION, 9_000, "SampleRatioMismatch")],
)
def test_what_is_not_delivered_as_intended_is_counted_for_an_alarm(cloud, registry, capsys, arm, bucket, problem):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    story = cloud.table(COMPLAINTS_ALLOCATION)
    for number in range(200):
        story.put(predicted(f"c-{number}", arm, "Mortgage", shadow=False, bucket=bucket + number))
    weigh(cloud)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert problem in {name for metric in metrics for name in metric}


def test_each_task_with_challengers_is_started_once_a_minute(cloud, registry):
    put_in_force(registry, CANARY, by="ann", replaces=0)
    cloud.table(MODEL_STRATEGY).put({"task": "issue", "entry": CURRENT, "strategy": {"arms": []}})
    handler = schedule_promotions.build(cloud.schedule_promotions, cloud.session())
    before = datetime.now(UTC)
    assert handler({}, None) == handler({}, None) == ["product"]
    names = cloud.executions()
    assert len(names) <= 2 and all(name.startswith("product-") for name in names)
    if datetime.now(UTC) - before < timedelta(seconds=60) and datetime.now(UTC).minute == before.minute:
        assert len(names) == 1
