import pytest

from runtime.adapters.executions import Executions
from triage.steps import ExecutionInput

REQUEST = ExecutionInput(complaint_id="1")


@pytest.fixture
def executions(cloud):
    return Executions(cloud.session().client("stepfunctions"), cloud.state_machine_arn)


def test_an_execution_runs_from_its_start_to_its_end(executions, cloud):
    assert not executions.is_running("1")
    assert executions.start(REQUEST, "1")
    assert executions.is_running("1")
    cloud.end_executions()
    assert not executions.is_running("1")


def test_a_name_that_was_used_does_not_start_again(executions, cloud):
    executions.start(REQUEST, "1")
    cloud.end_executions()
    assert not executions.start(REQUEST, "1")
    assert executions.start(REQUEST, "1-again")


def test_other_machines_executions_are_not_ours(cloud, executions):
    client = cloud.session().client("stepfunctions")
    other = client.create_state_machine(
        name="triage2",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        roleArn="arn:aws:iam::123456789012:role/triage",
    )
    Executions(client, other["stateMachineArn"]).start(REQUEST, "1")
    assert not executions.is_running("1")
