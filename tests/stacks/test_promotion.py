import json

import pytest

from stacks.settings import SETTINGS
from triage.promotion.steps import PROMOTION_EVENT, Changed, Due, Weighed


@pytest.fixture
def states(synthesis):
    return synthesis.promotion_definition["States"]


def test_evidence_is_weighed_before_anything_is_changed_and_what_was_changed_is_checked(synthesis, states):
    assert synthesis.promotion_definition["StartAt"] == "WeighEvidence"
    assert states["WeighEvidence"]["Next"] == "Acts"
    (acts,) = states["Acts"]["Choices"]
    assert (acts["Variable"], acts["BooleanEquals"], acts["Next"]) == ("$.acts", True, "ChangeStrategy")
    assert states[states["Acts"]["Default"]]["Type"] == "Succeed"
    assert states["ChangeStrategy"]["Next"] == "CheckStrategy"
    assert states["CheckStrategy"]["Next"] == "Announce"
    assert "acts" in Weighed.model_fields


def test_a_change_is_announced_with_who_answers_now(synthesis, states):
    (entry,) = states["Announce"]["Parameters"]["Entries"]
    assert entry == {
        "Detail.$": "$",
        "DetailType": PROMOTION_EVENT,
        "EventBusName": "Data/Bus.Arn",
        "Source": SETTINGS[synthesis.environment].event_source,
    }
    assert states["Announce"]["ResultPath"] is None
    assert {"task", "champion", "previous", "evidence_sha256"} <= Changed.model_fields.keys()


def test_failures_are_not_caught(states):
    """A failed execution raises an alarm. The next schedule starts a new one."""
    assert not [name for name, state in states.items() if "Catch" in state]


def test_each_task_has_an_execution_of_its_own(synthesis):
    assert "Map" not in {state["Type"] for state in synthesis.promotion_definition["States"].values()}
    assert set(Due.model_fields) == {"task"}


def test_a_refusal_is_not_tried_again(states):
    for name in ("WeighEvidence", "ChangeStrategy", "CheckStrategy"):
        first, *_ = states[name]["Retry"]
        assert first["MaxAttempts"] == 0
        assert {"StrategyRefusedError", "RegistryError"} <= {*first["ErrorEquals"]}


def test_a_change_that_is_not_seen_yet_is_looked_for_again(states):
    """DynamoDB's indexes and scans show a write a moment later."""
    given_up = {
        error for rule in states["CheckStrategy"]["Retry"] if not rule["MaxAttempts"] for error in rule["ErrorEquals"]
    }
    assert "NotServedError" not in given_up
    assert states["CheckStrategy"]["Retry"][-1]["MaxAttempts"] >= 3


def test_challengers_are_judged_as_often_as_the_settings_say(synthesis):
    rule = synthesis.stateless.of_type("AWS::Events::Rule")["Promotion/Schedule"]
    minutes = SETTINGS[synthesis.environment].promote_every.to_minutes()
    assert rule["ScheduleExpression"] == f"rate({minutes:g} minute{'s' if minutes > 1 else ''})"
    (target,) = rule["Targets"]
    assert synthesis.readable(target["Arn"]) == "Promotion/SchedulePromotions.Arn"


def test_only_production_asks_for_a_second_person(synthesis):
    told = synthesis.functions["Promotion/ChangeStrategy"]["Environment"]["Variables"]["SECOND_APPROVER"]
    assert told == str(synthesis.environment == "prod")
    published = synthesis.stateless.of_type("AWS::SSM::Parameter")["Published/SecondApprover"]["Value"]
    assert published == ("yes" if synthesis.environment == "prod" else "no")


def test_no_narrative_travels(synthesis):
    assert "narrative" not in json.dumps(synthesis.promotion_definition).lower()


@pytest.mark.parametrize("name", ["SampleRatioMismatch", "EmptyArm", "ServedNotIntended", "PromotionsFailed"])
def test_what_is_not_as_intended_raises_an_alarm(synthesis, name):
    alarm = synthesis.stateless.of_type("AWS::CloudWatch::Alarm")[f"Alarms/{name}"]
    assert alarm["Threshold"] == 1
    assert [synthesis.readable(topic) for topic in alarm["AlarmActions"]] == ["Alarms/Topic"]
