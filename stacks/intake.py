"""Intake layer: new complaints start executions. The sweeper starts those that the stream missed or that failed."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.function import Foundation, RuntimeFunction
from stacks.rights import allow
from stacks.states import LoggedStateMachine
from triage.functions import INTAKE, SWEEP
from triage.outbox import ATTRIBUTES


class Intake(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, base: Foundation, state_machine: LoggedStateMachine
    ) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        values = {"state_machine_arn": state_machine.state_machine_arn}
        self.intake = RuntimeFunction(
            self, "Intake", function=INTAKE, base=base, values=values, timeout=Duration.minutes(1)
        )
        data.raw_complaints.allow(self.intake, "UpdateItem", attributes=ATTRIBUTES)
        # Whether a state that a new complaint claims has its record: keys alone are read.
        data.complaints_allocation.allow(self.intake, "BatchGetItem", attributes=())
        state_machine.grant_start_execution(self.intake)
        # What this stream drops, the sweeper finds.
        inserted = {"eventName": lambda_.FilterRule.is_equal("INSERT")}
        self.intake.read_stream(data.raw_complaints, batch_size=10, only=inserted)

        self.sweep = RuntimeFunction(
            self,
            "Sweep",
            function=SWEEP,
            base=base,
            values=values,
            timeout=Duration.minutes(15),
        )
        data.raw_complaints.allow(self.sweep, "UpdateItem", attributes=ATTRIBUTES)
        data.raw_complaints.allow(self.sweep, "Scan", attributes=ATTRIBUTES)
        data.raw_complaints.allow(self.sweep, "Query", index="by_triage_state")
        data.complaints_allocation.allow(self.sweep, "BatchGetItem", attributes=())
        state_machine.allow_starting_and_describing(self.sweep.execution_role, named_after="complaints")
        allow(self.sweep, data.parked.queue_arn, "sqs:SendMessage")
        data.keys["records"].grant(self.sweep, "kms:Decrypt", "kms:GenerateDataKey")
        self.sweep.run_every(
            base.settings.sweep_every,
            rule="SweepSchedule",
            event={"scope": "slice", "at": events.EventField.time},
            aligned=True,
        )
