"""`triage strategy simulate` with a deployment in moto."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.aws import replays
from cli.aws.deployment import Deployment
from tests.factories import (
    any_allocation,
    any_feedback,
    any_model_info,
    any_model_reference,
    any_prediction,
    any_selection,
    any_strategy,
    put_in_force,
)
from triage.complaint import timestamp
from triage.promotion.gates import Gates
from triage.story import Drawn, FeedbackEntry
from triage.strategies.ledger import LedgerEntry
from triage.strategies.strategy import Arm, Strategy, assign
from triage.tables import CHAMPION_LEDGER, MODEL_INFO, MODEL_STRATEGY

NOW = datetime.now(UTC)
GATES = Gates(min_inclusion=0.05)
SHADOWED = any_strategy(shadows={"next": 10_000}, gates=GATES)
CANARY = any_strategy({"champion": 7_500, "next": 2_500}, gates=GATES)
CHAMPION, NEXT = CANARY.champion_arm, CANARY.challengers[0]


@pytest.fixture
def deployment(dev):
    for number, arm in enumerate(CANARY.arms):
        state = "challenger" if number else "champion"
        dev.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision, state=state))
    return dev


@pytest.fixture
def shadowed(deployment):
    put_in_force(deployment.registry, SHADOWED, by="ann", replaces=0)
    return deployment


@pytest.fixture
def simulate(shell, tmp_path):
    """Return a function that simulates a strategy or a threshold and returns the JSON that the command prints."""

    def run(strategy: Strategy | None = None, *arguments: object) -> Any:
        if strategy is not None:
            file = tmp_path / "strategy.json"
            file.write_text(strategy.model_dump_json())
            arguments = ("--strategy", file, *arguments)
        code, out, err = shell("strategy", "simulate", "product", *arguments, "--json", "--env", "dev")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def triage(shell):
    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = shell("strategy", "simulate", "product", *arguments, "--env", "dev")
        return code, " ".join(out.split()), " ".join(err.split())

    return run


def predicted(number: int, arm: Arm, label: str = "Mortgage", *, days: float = 1, shadow: bool = False, **values: Any):
    """Return a prediction of an arm for the complaint with this number, which is also its bucket."""
    model = any_model_reference(
        model_id=arm.model_id,
        revision=arm.revision,
        arm=arm.name,
        bucket=values.pop("bucket", number),
        strategy_version=values.pop("strategy_version", 1),
        shadow=shadow,
    )
    # A shadow predicts a second later.
    at = timestamp(NOW - timedelta(days=days) + timedelta(seconds=shadow))
    return any_prediction(complaint_id=f"c-{number}", model=model, label=label, predicted_at=at, **values)


def said(number: int, product: str = "Mortgage", **values: Any) -> FeedbackEntry:
    default = {"kind": "reallocate", "mode": "blind", "stratum": "random", "inclusion": 1.0, "product": product}
    now = timestamp(NOW)
    return FeedbackEntry(
        complaint_id=f"c-{number}",
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at=now,
        labelled_on=now[:10],
        labels={"product": product},
        feedback=any_feedback(complaint_id=f"c-{number}", **{**default, **values}),
    )


def drawn(number: int, inclusion: float | None = 1.0):
    """Return the allocation of a complaint that the system drew for labelling."""
    how = Drawn(stratum="random", inclusion=inclusion) if inclusion else None
    return any_allocation(complaint_id=f"c-{number}", drawn=how)


def stored(deployment: Deployment, *entries: Iterable[Any]) -> None:
    for group in entries:
        for entry in group:
            deployment.story.put(entry)


def pairs(numbers: Iterable[int], *, champion: str = "Student loan", challenger: str = "Mortgage", **values: Any):
    """Return predictions of complaints: the champion's answers, and the challenger's as a shadow."""
    for number in numbers:
        yield predicted(number, CHAMPION, champion, **values)
        yield predicted(number, NEXT, challenger, shadow=True, **values)


def test_present_and_proposed_stand_side_by_side(simulate, shadowed):
    numbers = range(0, 10_000, 1_000)
    stored(shadowed, pairs(numbers), (said(number) for number in numbers), map(drawn, numbers))
    found = simulate(CANARY)
    present, proposed = found["present"], found["proposed"]
    assert (present["complaints"], present["arms"]) == (10, {"champion": 10})
    assert proposed["arms"] == {"next": 3, "champion": 7}
    assert (present["accuracy"], proposed["accuracy"]) == (0.0, pytest.approx(0.3))
    assert (present["labels"], present["unknown"], proposed["unknown"]) == (10, 0, 0)
    assert (found["difference"]["n"], found["difference"]["difference"]) == (10, pytest.approx(0.3))


def test_the_strategy_in_force_stays_as_it_is(simulate, shadowed):
    stored(shadowed, pairs([1]))
    simulate(CANARY)
    assert shadowed.registry.strategies.get("product").strategy == SHADOWED


def test_complaints_that_their_arm_did_not_predict_are_shown_as_unknown(simulate, triage, shadowed, tmp_path):
    stored(shadowed, (predicted(number, CHAMPION) for number in (1, 9_000)))
    found = simulate(CANARY)["proposed"]
    assert (found["unknown"], found["unknown_by_arm"]) == (1, {"next": 1})
    _, out, _ = triage("--strategy", tmp_path / "strategy.json")
    assert "1 (50.0%)" in out and "next 1 (50.0%), 1 unknown" in out and "Shadow the arm first" in out


def test_a_threshold_changes_what_people_review_and_what_that_costs(simulate, shadowed):
    stored(shadowed, (predicted(number, CHAMPION, confidence=0.5 + number / 10) for number in range(5)))
    found = simulate(None, "--threshold", "0.65", "--volume", "1000", "--minutes", "2", "--pence", "50")
    assert (found["present"]["reviewed"], found["proposed"]["reviewed"]) == (pytest.approx(0.6), pytest.approx(0.4))
    assert found["proposed"]["reviews_a_day"] == pytest.approx(400)
    assert found["proposed"]["pounds_a_year"] == pytest.approx(400 * 365 * 2 * 0.5)


def test_only_the_last_days_are_replayed(simulate, shadowed):
    stored(shadowed, pairs([1], days=2), pairs([2], days=8))
    assert [simulate(CANARY, "--days", days)["present"]["complaints"] for days in (7, 30)] == [1, 2]


def test_a_complaint_with_only_a_shadow_prediction_is_not_replayed(simulate, shadowed):
    stored(shadowed, pairs([1]), [predicted(2, NEXT, shadow=True)])
    assert simulate(CANARY)["present"]["complaints"] == 1


def test_a_champion_of_the_past_answered_complaints_too(simulate, shadowed):
    """They are replayed, but the answers of the present champion are not known."""
    put_in_force(shadowed.registry, any_strategy({"next": 10_000}, gates=GATES), by="ann", replaces=1)
    stored(shadowed, [predicted(1, CHAMPION)], [predicted(2, NEXT, strategy_version=2)])
    found = simulate(None, "--threshold", "0.5")["present"]
    assert (found["complaints"], found["unknown"]) == (2, 1)


def test_a_challenger_of_the_past_answered_complaints_too(simulate, deployment):
    put_in_force(deployment.registry, CANARY, by="ann", replaces=0)
    put_in_force(deployment.registry, any_strategy(gates=GATES), by="ann", replaces=1)
    stored(deployment, [predicted(1, NEXT)], [predicted(9_000, CHAMPION)])
    assert simulate(None, "--threshold", "0.5")["present"]["complaints"] == 2


def test_complaints_answered_before_there_was_a_strategy_are_replayed(simulate, deployment):
    entry = LedgerEntry(
        task="product",
        valid_from=timestamp(NOW - timedelta(days=3)),
        kind="activate",
        champion=NEXT.version,
        strategy_version=0,
        actor="ann",
        reason="the first one",
        change_id="first",
    )
    deployment.table(CHAMPION_LEDGER).put(entry)
    put_in_force(deployment.registry, any_strategy(gates=GATES), by="ann", replaces=0)
    stored(deployment, [predicted(1, NEXT, bucket=None, strategy_version=None)])
    found = simulate(None, "--threshold", "0.5")["present"]
    assert (found["complaints"], found["unknown"]) == (1, 1)


def test_a_bucket_of_another_experiment_is_not_relied_on(simulate, shadowed):
    """The customer is assigned again or, if the selection is gone, the complaint."""
    again = any_strategy({"champion": 7_500, "next": 2_500}, experiment="another", gates=GATES)
    stored(shadowed, pairs(range(40)))
    stored(shadowed, (any_selection(complaint_id=f"c-{number}", subject="one customer") for number in range(20)))
    dealt = [assign(again, "one customer" if number < 20 else f"c-{number}").arm.name for number in range(40)]
    assert simulate(again)["proposed"]["arms"] == {name: dealt.count(name) for name in sorted(set(dealt))}


def test_a_bucket_of_a_strategy_that_a_hand_changed_is_not_relied_on(simulate, deployment):
    put_in_force(deployment.registry, CANARY, by="ann", replaces=0)
    row = deployment.registry.strategies.get("product")
    by_hand = CANARY.model_copy(update={"salt": "by hand"})
    deployment.table(MODEL_STRATEGY).put(row.model_copy(update={"strategy": by_hand}))
    stored(deployment, [predicted(number, CHAMPION, bucket=1) for number in range(40)])
    found = simulate(CANARY)
    for side, strategy in (("present", by_hand), ("proposed", CANARY)):
        dealt = [assign(strategy, f"c-{number}").arm.name for number in range(40)]
        assert found[side]["arms"] == {name: dealt.count(name) for name in sorted(set(dealt))}


@pytest.mark.parametrize(
    ("inclusion", "values", "counts"),
    [(1.0, {}, 1), (None, {}, 0), (0.01, {}, 0), (1.0, {"mode": "assisted"}, 0), (None, {"inclusion": 1.0}, 0)],
    ids=["drawn and blind", "not drawn", "too rarely", "assisted", "said to be drawn"],
)
def test_labels_count_as_they_do_in_the_evidence(simulate, shadowed, inclusion, values, counts):
    stored(shadowed, pairs([1]), [said(1, **values)], [drawn(1, inclusion)])
    found = simulate(CANARY)["present"]
    assert (found["labels"], found["other_labels"]) == (counts, 1 - counts)


def test_a_label_drawn_less_often_weighs_more(simulate, shadowed):
    stored(shadowed, pairs([1, 2], champion="Mortgage"), [said(1), said(2, "Student loan")], [drawn(1, 0.1), drawn(2)])
    found = simulate(CANARY)["present"]
    assert found["accuracy"] == pytest.approx(10 / 11)
    low, high = found["interval"]
    assert low < 10 / 11 < high


def test_a_task_that_looks_for_one_label_shows_recall_and_precision(simulate, triage, shadowed):
    known = (("Mortgage", 0.9), ("Mortgage", 0.4), ("Student loan", 0.8), ("Student loan", 0.1))
    for number, (truth, probability) in enumerate(known):
        flagged = probability >= 0.7
        answer = predicted(
            number,
            CHAMPION,
            "Mortgage" if flagged else "Student loan",
            confidence=probability if flagged else 1 - probability,
            top=({"label": "Mortgage", "probability": probability},),
            positive_label="Mortgage",
            thresholds={"flag": 0.7},
        )
        stored(shadowed, [answer, said(number, truth), drawn(number)])
    found = simulate(None, "--threshold", "0.3")
    assert [found[side]["recall"] for side in ("present", "proposed")] == [0.5, 1.0]
    assert [found[side]["precision"] for side in ("present", "proposed")] == [0.5, pytest.approx(2 / 3)]
    assert [found[side]["flagged"] for side in ("present", "proposed")] == [0.5, 0.75]
    assert found["present"]["accuracy"] is None and found["present"]["reviewed"] is None
    _, out, _ = triage("--threshold", "0.3")
    assert "recall (95 %)" in out and "accuracy (95 %)" not in out and "specialist journey" in out


def test_predictions_that_were_not_read_are_mentioned(simulate, triage, shadowed, monkeypatch):
    """Complaints older than the oldest prediction that was read are left out."""
    monkeypatch.setattr(replays, "REPLAYED", 3)
    stored(shadowed, *(pairs([number], days=number) for number in range(1, 6)))
    found = simulate(CANARY)
    assert found["cut"] and found["present"]["complaints"] == 2 and found["proposed"]["unknown"] == 0
    assert "were not read" in triage("--threshold", "0.5")[1]


def test_a_task_without_a_strategy_is_answered_by_its_champion(simulate, deployment):
    stored(deployment, [predicted(1, CHAMPION, bucket=None, strategy_version=None)])
    found = simulate(CANARY)
    assert found["present"]["arms"] == {"champion": 1} and found["present"]["unknown"] == 0


@pytest.mark.parametrize(
    ("task", "arguments", "code", "told"),
    [
        ("product", (), 2, "propose a --strategy, a --threshold, or both"),
        ("product", ("--threshold", "0.5"), 3, "no model decided product for a complaint in the last 30 days"),
        ("issue", ("--threshold", "0.5"), 3, "issue has neither a strategy nor a model"),
        ("product", ("--threshold", "1.5"), 2, "equal to 1"),
    ],
)
def test_a_failed_simulation_states_the_reason(shell, shadowed, task, arguments, code, told):
    ended, _, err = shell("strategy", "simulate", task, *arguments, "--env", "dev")
    assert ended == code and told in " ".join(err.split())


def test_a_strategy_of_another_task_is_refused(triage, shadowed, tmp_path):
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy(task="issue").model_dump_json())
    code, _, err = triage("--strategy", file)
    assert code == 2 and "is for issue, not product" in err


def test_people_read_shares_intervals_and_what_is_left_out(triage, shadowed):
    labels = (said(number) for number in range(10))
    stored(shadowed, pairs(range(20), champion="Mortgage"), labels, map(drawn, range(10)))
    _, out, _ = triage("--threshold", "0.95")
    for told in (
        "100.0% (72.2% to 100.0%) of 10",
        "pounds a year",
        "328,500",
        "On the same 10 labelled complaints accuracy changes by +0.0 points",
        "another task may send more",
    ):
        assert told in out


def test_without_labels_nothing_is_said_of_quality(triage, shadowed):
    stored(shadowed, pairs([1]))
    _, out, _ = triage("--threshold", "0.95")
    assert "nothing is known of the quality" in out and "accuracy (95 %)" not in out
