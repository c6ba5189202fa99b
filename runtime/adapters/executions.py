"""Executions of a state machine."""

from typing import TYPE_CHECKING

from triage.contracts import Contract

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    def __init__(self, client: "SFNClient", state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, request: Contract, name: str) -> bool:
        """Start an execution. Return False where one of this name exists already, running or ended."""
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=name,
                input=request.model_dump_json(),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return False
        return True

    def is_running(self, name: str) -> bool:
        arn = self._state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
        try:
            return self._client.describe_execution(executionArn=arn)["status"] == "RUNNING"
        except self._client.exceptions.ExecutionDoesNotExist:
            return False
