import json

import pytest

from runtime.sweep import SweepRequest
from stacks.settings import SETTINGS
from triage.functions import SweepEnvironment


@pytest.fixture
def mappings(synthesis):
    """Event source mappings by the function that they feed."""
    found = synthesis.stateless.of_type("AWS::Lambda::EventSourceMapping").values()
    return {synthesis.readable(mapping["FunctionName"]): mapping for mapping in found}


@pytest.fixture
def schedules(synthesis):
    rules = synthesis.stateless.of_type("AWS::Events::Rule")
    return {path: rule for path, rule in rules.items() if path.startswith("Intake/")}


def test_streams_feed_the_intake_the_feedback_the_mirror_and_the_chains_alone(mappings):
    assert mappings.keys() == {"Intake/Intake", "Feedback/Feedback", "MLOps/Mirror", "Audit/Seal"}


def test_the_intake_reads_the_stream_of_raw_complaints_from_its_start(mappings, synthesis):
    mapping = mappings["Intake/Intake"]
    assert synthesis.readable(mapping["EventSourceArn"]) == "Data/RawComplaints/Table.StreamArn"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_only_new_complaints_reach_the_intake(mappings):
    """The stream also reports the intake's claims and the state machine's updates."""
    (only,) = mappings["Intake/Intake"]["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == {"eventName": ["INSERT"]}


def test_what_cannot_be_delivered_holds_up_nothing_for_long(mappings):
    """The embedded AWS gives up on a record by its age alone."""
    for mapping in (found for function, found in mappings.items() if function != "Audit/Seal"):
        assert 60 <= mapping["MaximumRecordAgeInSeconds"] <= 3600
        assert 0 < mapping["MaximumRetryAttempts"] <= 10


def test_what_is_sealed_is_every_change_and_waits_almost_as_long_as_the_stream_keeps_it(mappings, synthesis):
    mapping = mappings["Audit/Seal"]
    assert synthesis.readable(mapping["EventSourceArn"]) == "Data/ComplaintsAllocation/Table.StreamArn"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert not {"FilterCriteria", "MaximumRetryAttempts"} & mapping.keys()
    # What the stream itself drops after a day, it would send nowhere.
    assert 20 * 3600 <= mapping["MaximumRecordAgeInSeconds"] < 24 * 3600


def test_a_batch_is_cut_around_the_record_that_fails(mappings):
    assert mappings["Intake/Intake"]["BisectBatchOnFunctionError"] is True


def test_a_function_that_never_raises_reports_no_failed_items(mappings):
    """The embedded AWS takes such a report for success."""
    assert not any("FunctionResponseTypes" in mapping for mapping in mappings.values())


def test_the_sweeper_reads_every_slice_of_the_table_once_a_round(schedules, synthesis):
    settings = SETTINGS[synthesis.environment]
    ((rule,),) = (rule["Targets"] for rule in schedules.values())
    assert synthesis.readable(rule["Arn"]) == "Intake/Sweep.Arn"
    template, paths = rule["InputTransformer"]["InputTemplate"], rule["InputTransformer"]["InputPathsMap"]
    assert paths == {"time": "$.time"}
    request = SweepRequest.model_validate_json(template.replace("<time>", '"2026-03-02T09:30:00Z"'))
    assert request.scope == "slice" and request.at is not None
    (schedule,) = (rule["ScheduleExpression"] for rule in schedules.values())
    minutes = settings.sweep_every.to_minutes()
    # At the full hour and every few minutes after it: a rate begins at any second, and may be counted twice.
    assert schedule == f"cron(0/{minutes:g} * * * ? *)" and 60 % minutes == 0
    sweep = told_to_the_sweeper(synthesis)
    assert sweep.sweep_every_seconds == settings.sweep_every.to_seconds()
    assert sweep.sweep_every_seconds * sweep.sweep_slices == settings.sweep_all_every.to_seconds()


def test_nothing_but_schedules_the_announcement_for_shadows_and_a_notice_is_a_rule(schedules, synthesis):
    assert all("EventPattern" not in rule for rule in schedules.values())
    assert synthesis.stateless.of_type("AWS::Events::Rule").keys() - schedules.keys() == {
        "Audit/KeepHeldDaily",
        "Audit/SealLate",
        "Promotion/Schedule",
        "Shadows/Allocated",
        "Alarms/UndeliveredStored",
    }


def told_to_the_sweeper(synthesis) -> SweepEnvironment:
    told = synthesis.functions["Intake/Sweep"]["Environment"]["Variables"]
    return SweepEnvironment.read({name: synthesis.readable(value) for name, value in told.items()})


def test_an_execution_that_waits_for_its_retries_is_not_taken_for_lost_on_aws(production):
    """The sweeper leaves younger executions alone without asking whether they run."""
    sweep = told_to_the_sweeper(production)
    invoking = production.definition["States"]["SelectModels"]
    assert sweep.stale_after_seconds > invoking["TimeoutSeconds"] + invoking["Retry"][-1]["MaxDelaySeconds"]


def test_a_complaint_is_parked_after_several_attempts_and_not_at_once(synthesis):
    assert SETTINGS[synthesis.environment].max_attempts > 1
