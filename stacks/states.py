"""What state machines are made of: states that invoke, build, announce and are tried again."""

from collections.abc import Iterable
from typing import TypeVar

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.data import Data
from stacks.findings import acknowledge_wildcard, logical_id
from stacks.function import RuntimeFunction
from stacks.settings import Settings
from triage.contracts import Contract
from triage.errors import permanent
from triage.steps import EVENT_SOURCE

ERROR = "$.error"
TIMED_OUT = ("Sandbox.Timedout", sfn.Errors.TIMEOUT)


Task = TypeVar("Task", bound=sfn.TaskStateBase)


def retried(task: Task) -> Task:
    """Retry whatever is not caught by a narrower rule before: 1, 2, 4, 8, 16 seconds at most, with full jitter."""
    task.add_retry(
        errors=[sfn.Errors.ALL],
        interval=Duration.seconds(1),
        backoff_rate=2,
        max_attempts=5,
        max_delay=Duration.seconds(20),
        jitter_strategy=sfn.JitterType.FULL,
    )
    return task


def building(scope: Construct, name: str, contract: type[Contract], **parameters: object) -> sfn.Pass:
    """A state that builds exactly one contract. None leaves a field to its default: CDK drops it."""
    return sfn.Pass(scope, name, parameters=fields(contract, **parameters))


def fields(contract: type[Contract], **parameters: object) -> dict[str, object]:
    if set(parameters) != set(contract.model_fields):
        raise LookupError(f"a {contract.__name__} is not built of {sorted(parameters)}")
    return parameters


class LoggedStateMachine(sfn.StateMachine):
    """Logs and traces every execution, without its data; invokes any version of the functions it is given."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: sfn.IChainable,
        timeout: Duration,
        functions: Iterable[RuntimeFunction],
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            definition_body=sfn.DefinitionBody.from_chainable(definition),
            timeout=timeout,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    scope, f"{construct_id}Logs", retention=settings.log_retention, removal_policy=RemovalPolicy.DESTROY
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        for function in functions:
            acknowledge_wildcard(
                self,
                f"<{logical_id(function)}.Arn>:*",
                "The state machine may invoke any version of this one function.",
            )
        acknowledge_wildcard(
            self, "*", "Log delivery and X-Ray have no resources to name in a policy (AWS documentation)."
        )


def invoking(
    scope: Construct,
    function: RuntimeFunction,
    *,
    timeout: Duration,
    payload: sfn.TaskInput | None = None,
    given_up: Iterable[str] = (),
    name: str | None = None,
) -> tasks.LambdaInvoke:
    """A state, by default of the function's name. What no other try can mend, and what is `given_up`, ends it at once.

    timeout: of one try, with the time that it takes to be heard.
    """
    task = tasks.LambdaInvoke(
        scope,
        f"{name or function.node.id}Task",
        state_name=name or function.node.id,
        lambda_function=function,
        payload=payload,
        payload_response_only=True,
        # Our own retries name the errors that no other try can mend.
        retry_on_service_exceptions=False,
        task_timeout=sfn.Timeout.duration(timeout),
    )
    task.add_retry(errors=[*permanent(), *given_up], max_attempts=0)
    return task


def announcing(scope: Construct, data: Data, event_type: str) -> tasks.EventBridgePutEvents:
    """Put what the last state gave on the bus, and pass it on."""
    return retried(
        tasks.EventBridgePutEvents(
            scope,
            "Announce",
            entries=[
                tasks.EventBridgePutEventsEntry(
                    event_bus=data.bus,
                    source=EVENT_SOURCE,
                    detail_type=event_type,
                    detail=sfn.TaskInput.from_json_path_at("$"),
                )
            ],
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.seconds(30)),
        )
    )
