"""The parts of state machines: states that invoke, build and announce, and their retries."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.data import Data
from stacks.findings import acknowledge_wildcard, logical_id
from stacks.function import RuntimeFunction
from stacks.log_group import EncryptedLogGroup
from stacks.settings import Settings
from triage.bundle import Engine
from triage.contracts import Contract
from triage.errors import KILLED, THROTTLED, permanent
from triage.steps import path

ERROR = "$.error"
STOPPED_BY_A_LIMIT = (*KILLED, sfn.Errors.TIMEOUT)
"""A function ran out of time or memory, or a state stopped waiting for it."""

Task = TypeVar("Task", bound=sfn.TaskStateBase)


def add_retry(
    task: sfn.TaskStateBase,
    *errors: str,
    attempts: int,
    first_pause: int = 1,
    backoff_rate: float = 2,
    longest_pause: int = 20,
) -> None:
    """Retry a task after these errors.

    attempts: retries after the first try. first_pause, longest_pause: in seconds. Each pause is random, below a limit
    that `backoff_rate` multiplies each time, up to `longest_pause`.
    """
    task.add_retry(
        errors=list(errors),
        interval=Duration.seconds(first_pause),
        backoff_rate=backoff_rate,
        max_attempts=attempts,
        max_delay=Duration.seconds(longest_pause),
        jitter_strategy=sfn.JitterType.FULL,
    )


def retried(task: Task, *, attempts: int = 5) -> Task:
    """Try a task again after every error that no earlier retry names: after 1, 2, 4, 8 and 16 seconds at most."""
    add_retry(task, sfn.Errors.ALL, attempts=attempts)
    return task


def patience(state: Mapping[str, Any]) -> float:
    """Return the seconds that a task may take: each of its tries, and the pauses between them.

    state: in Amazon's States Language. A try that is throttled takes no time.
    """
    rules = state.get("Retry", [])
    tries = 1 + sum(rule["MaxAttempts"] for rule in rules if rule["ErrorEquals"] != [THROTTLED])
    pauses = [
        min(rule["MaxDelaySeconds"], rule["IntervalSeconds"] * rule["BackoffRate"] ** attempt)
        for rule in rules
        for attempt in range(rule["MaxAttempts"])
    ]
    return float(tries * state["TimeoutSeconds"] + sum(pauses))


def longest(*tasks: sfn.TaskStateBase) -> Duration:
    """Return how long tasks may take one after the other."""
    return Duration.seconds(math.ceil(sum(patience(task.to_state_json()) for task in tasks)))


def building(scope: Construct, name: str, contract: type[Contract], **parameters: object) -> sfn.Pass:
    """Return a state that builds exactly one contract. None leaves a field to its default: CDK drops it."""
    return sfn.Pass(scope, name, parameters=fields(contract, **parameters))


def fields(contract: type[Contract], **parameters: object) -> dict[str, object]:
    """Return the parameters. Raises: LookupError unless they name exactly the fields of the contract."""
    if set(parameters) != set(contract.model_fields):
        raise LookupError(
            f"{contract.__name__} has the fields {sorted(contract.model_fields)}, and the state gives "
            f"{sorted(parameters)}: give each field, None for its default"
        )
    return parameters


def each_model_request(contract: type[Contract]) -> dict[str, str]:
    """Select the input of each turn of a map over models: an `InferenceRequest` without its default fields."""
    return {"complaint_id.$": path(contract, "complaint_id"), "model.$": "$$.Map.Item.Value"}


def is_engine(contract: type[Contract], engine: Engine) -> sfn.Condition:
    """Whether the model of a contract runs on this engine."""
    return sfn.Condition.string_equals(path(contract, "model", "engine"), engine)


class LoggedStateMachine(sfn.StateMachine):
    """Logs and traces every execution without its data, and may invoke any version of its functions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: sfn.IChainable,
        timeout: Duration,
        functions: Iterable[RuntimeFunction],
        data: Data,
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            definition_body=sfn.DefinitionBody.from_chainable(definition),
            timeout=timeout,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=EncryptedLogGroup(
                    scope,
                    f"{construct_id}Logs",
                    data=data,
                    settings=settings,
                    name=f"{settings.vended_logs}/{construct_id}",
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

    def allow_starting_and_describing(self, role: iam.Role, *, named_after: str) -> None:
        """Let a role start executions and read their status. named_after: what the executions are named after."""
        self.grant_start_execution(role)
        self.grant_execution(role, "states:DescribeExecution")
        machine_name = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{logical_id(self)}"}}]}}]}}'
        acknowledge_wildcard(
            role,
            f"arn:<AWS::Partition>:states:{Stack.of(self).region}:<AWS::AccountId>:execution:{machine_name}:*",
            f"Executions are named after {named_after}: all of this one state machine's may be described.",
        )


def invoking(
    scope: Construct,
    function: RuntimeFunction,
    *,
    timeout: Duration,
    payload: sfn.TaskInput | None = None,
    after_a_limit: int = 1,
    after_an_error: int = 5,
    name: str | None = None,
) -> tasks.LambdaInvoke:
    """Return a state that invokes a function, by default under the function's name, and tries again.

    A throttled invocation waits for its turn, for 27 minutes at most. A permanent error of `triage.errors` is not tried
    again.

    timeout: of one try, including the delivery of its answer.
    after_a_limit: tries after the function reached a limit of time or memory: one by default, because a cold start may
        have been slow. If it happens again, more tries only delay.
    after_an_error: tries after any other error.
    """
    task = tasks.LambdaInvoke(
        scope,
        f"{name or function.node.id}Task",
        state_name=name or function.node.id,
        lambda_function=function,
        payload=payload,
        payload_response_only=True,
        # CDK's retries would also repeat permanent errors.
        retry_on_service_exceptions=False,
        task_timeout=sfn.Timeout.duration(timeout),
    )
    task.add_retry(errors=[*permanent(), *(() if after_a_limit else STOPPED_BY_A_LIMIT)], max_attempts=0)
    if after_a_limit:
        add_retry(task, *STOPPED_BY_A_LIMIT, attempts=after_a_limit)
    # For a long time, so that no answer is lost in a burst of complaints.
    add_retry(task, THROTTLED, attempts=60, backoff_rate=1.5, longest_pause=30)
    return retried(task, attempts=after_an_error)


def announcing(
    scope: Construct, data: Data, event_type: str, settings: Settings, *, name: str = "Announce"
) -> tasks.EventBridgePutEvents:
    """Return a state that puts its input on the bus as an event, and passes it on."""
    return retried(
        tasks.EventBridgePutEvents(
            scope,
            name,
            entries=[
                tasks.EventBridgePutEventsEntry(
                    event_bus=data.bus,
                    source=settings.event_source,
                    detail_type=event_type,
                    detail=sfn.TaskInput.from_json_path_at("$"),
                )
            ],
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.seconds(30)),
        )
    )
