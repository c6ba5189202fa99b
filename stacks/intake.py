"""Intake layer: from the stream of `raw_complaints` to executions, and the sweeper behind it."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.data import Data, SpecifiedTable
from stacks.findings import acknowledge_wildcard, logical_id
from stacks.function import RuntimeFunction
from stacks.packages import Packages
from stacks.settings import Settings
from triage.environment import IntakeEnvironment, SweepEnvironment
from triage.outbox import ATTRIBUTES


class Intake(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        data: Data,
        packages: Packages,
        state_machine: sfn.StateMachine,
        settings: Settings,
    ) -> None:
        super().__init__(scope, construct_id)
        self.intake = self._intake(data, packages, state_machine, settings)
        self.sweep = self._sweep(data, packages, state_machine, settings)

    def _intake(
        self, data: Data, packages: Packages, state_machine: sfn.StateMachine, settings: Settings
    ) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "Intake",
            module="intake",
            package=packages.control,
            environment=IntakeEnvironment(
                code_version=packages.code_version,
                raw_complaints_table=data.raw_complaints.table.table_name,
                state_machine_arn=state_machine.state_machine_arn,
                retention_days=settings.retention_days,
            ),
            settings=settings,
            timeout=Duration.minutes(1),
        )
        data.raw_complaints.allow(function, "UpdateItem", attributes=ATTRIBUTES)
        state_machine.grant_start_execution(function)
        read_inserts(data.raw_complaints, function, batch_size=10)
        return function

    def _sweep(
        self, data: Data, packages: Packages, state_machine: sfn.StateMachine, settings: Settings
    ) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "Sweep",
            module="sweep",
            package=packages.control,
            environment=SweepEnvironment(
                code_version=packages.code_version,
                raw_complaints_table=data.raw_complaints.table.table_name,
                state_machine_arn=state_machine.state_machine_arn,
                parked_queue_url=data.parked.queue_url,
                retention_days=settings.retention_days,
                stale_after_seconds=round(settings.stale_after.to_seconds()),
                max_attempts=settings.max_attempts,
            ),
            settings=settings,
            timeout=Duration.minutes(15),
            # One sweep at a time: the next schedule finds what this one leaves.
            concurrency=1,
        )
        data.raw_complaints.allow(function, "UpdateItem", attributes=ATTRIBUTES)
        data.raw_complaints.allow(function, "Scan", attributes=ATTRIBUTES)
        data.raw_complaints.allow(function, "Query", index="by_triage_state")
        state_machine.grant_start_execution(function)
        state_machine.grant_execution(function, "states:DescribeExecution")
        machine_name = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{logical_id(state_machine)}"}}]}}]}}'
        acknowledge_wildcard(
            function.execution_role,
            f"arn:<AWS::Partition>:states:{settings.region}:<AWS::AccountId>:execution:{machine_name}:*",
            "Executions are named after complaints: all of this one state machine's may be described.",
        )
        iam.Grant.add_to_principal(grantee=function, actions=["sqs:SendMessage"], resource_arns=[data.parked.queue_arn])
        data.keys["records"].grant(function, "kms:Decrypt", "kms:GenerateDataKey")
        self._schedule("SweepStarted", function, settings.sweep_every, scope="started")
        self._schedule("SweepAll", function, settings.sweep_all_every, scope="all")
        return function

    def _schedule(self, construct_id: str, function: RuntimeFunction, every: Duration, *, scope: str) -> None:
        target = targets.LambdaFunction(function, event=events.RuleTargetInput.from_object({"scope": scope}))
        events.Rule(self, construct_id, schedule=events.Schedule.rate(every), targets=[target])


def read_inserts(table: SpecifiedTable, function: RuntimeFunction, *, batch_size: int) -> None:
    """Feed the keys of new items to a function that never raises.

    What AWS cannot deliver is retried for an hour and then dropped: the sweeper, not the stream, is what makes sure.
    """
    function.add_event_source(
        sources.DynamoEventSource(
            table.table,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=batch_size,
            retry_attempts=10,
            max_record_age=Duration.hours(1),
            bisect_batch_on_error=True,
            filters=[lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})],
        )
    )
