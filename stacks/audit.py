"""Audit layer: changes are sealed into chains; holds and erasure; and the roles of the people who may."""

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from stacks.data import EXPIRY_ATTRIBUTE, Data
from stacks.function import RuntimeFunction
from stacks.packages import Packages
from stacks.settings import Settings
from triage.audit.erasure import ERASE
from triage.audit.hold import HOLDING
from triage.audit.reading import READ_NARRATIVE
from triage.environment import (
    Environment,
    EraseEnvironment,
    HoldEnvironment,
    KeepHeldEnvironment,
    ReadNarrativeEnvironment,
    SealEnvironment,
)


class Audit(Construct):
    """Nothing of triage waits for any of it.

    privacy_officer may have complaints erased and held. auditor may be given a narrative, which is recorded, and read
    the models that judged it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self._data = data
        self._packages = packages
        self._settings = settings
        self.seal = self._seal()
        self.erase = self._erase()
        self.hold = self._hold("Hold", HOLDING.name, HoldEnvironment)
        self.keep_held = self._hold("KeepHeld", "keep_held", KeepHeldEnvironment)
        self._data.complaints_allocation.allow(self.hold, "PutItem")
        self._data.complaints_allocation.allow(self.keep_held, "Query", index="by_hold")
        events.Rule(
            self,
            "KeepHeldDaily",
            schedule=events.Schedule.rate(Duration.days(1)),
            targets=[targets.LambdaFunction(self.keep_held)],
        )
        self.read_narrative = self._read_narrative()
        self.privacy_officer = self._role("PrivacyOfficer", "Has complaints erased, and held against expiry")
        for function in (self.erase, self.hold):
            self._allow(self.privacy_officer, "lambda:InvokeFunction", function.function_arn)
        self.auditor = self._auditor()

    def _seal(self) -> RuntimeFunction:
        """The only function that may write a chain."""
        data = self._data
        told = SealEnvironment(**self._known(), audit_chain_table=data.audit_chain.table.table_name)
        function = self._function("Seal", "seal", told, Duration.minutes(1))
        data.complaints_allocation.allow(function, "BatchGetItem", "Query")
        data.audit_chain.allow(function, "PutItem", "Query")
        function.add_event_source(
            sources.DynamoEventSource(
                data.complaints_allocation.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=200,
                max_batching_window=Duration.seconds(1),
                # Tried as long as the stream has them: nothing may be left out, and an alarm watches how far it is.
                bisect_batch_on_error=True,
            )
        )
        return function

    def _erase(self) -> RuntimeFunction:
        data = self._data
        told = EraseEnvironment(**self._known(), raw_complaints_table=data.raw_complaints.table.table_name)
        function = self._function("Erase", ERASE.name, told, Duration.minutes(1))
        data.raw_complaints.allow(function, "GetItem", attributes=("triage_state",))
        data.raw_complaints.allow(function, "DeleteItem")
        data.complaints_allocation.allow(function, "DeleteItem", "PutItem", "Query")
        return function

    def _read_narrative(self) -> RuntimeFunction:
        data = self._data
        told = ReadNarrativeEnvironment(**self._known(), raw_complaints_table=data.raw_complaints.table.table_name)
        function = self._function("ReadNarrative", READ_NARRATIVE.name, told, Duration.seconds(30))
        data.raw_complaints.allow(function, "GetItem")
        data.complaints_allocation.allow(function, "PutItem")
        return function

    def _hold(self, construct_id: str, module: str, environment: type[HoldEnvironment]) -> RuntimeFunction:
        """May change when anything of a complaint expires, and reads no narrative."""
        data = self._data
        told = environment(
            **self._known(),
            raw_complaints_table=data.raw_complaints.table.table_name,
            audit_chain_table=data.audit_chain.table.table_name,
        )
        function = self._function(construct_id, module, told, Duration.minutes(15))
        for table in (data.complaints_allocation, data.audit_chain):
            table.allow(function, "Query")
        for table in (data.raw_complaints, data.complaints_allocation, data.audit_chain):
            table.allow(function, "UpdateItem", attributes=(EXPIRY_ATTRIBUTE,))
        return function

    def _known(self) -> dict[str, Any]:
        """What each of the functions is told."""
        return {
            "code_version": self._packages.code_version,
            "complaints_allocation_table": self._data.complaints_allocation.table.table_name,
            "retention_days": self._settings.retention_days,
        }

    def _function(self, construct_id: str, module: str, told: Environment, timeout: Duration) -> RuntimeFunction:
        return RuntimeFunction(
            self,
            construct_id,
            module=module,
            package=self._packages.control,
            environment=told,
            settings=self._settings,
            timeout=timeout,
        )

    def _auditor(self) -> iam.Role:
        role = self._role("Auditor", "Replays decisions on the text they were made about; each reading is recorded")
        self._allow(role, "lambda:InvokeFunction", self.read_narrative.function_arn)
        self._data.bundles.allow(role, "GetObject")
        return role

    def _role(self, construct_id: str, description: str) -> iam.Role:
        account = iam.AccountPrincipal(Stack.of(self).account)
        return iam.Role(self, construct_id, assumed_by=account, description=description)

    @staticmethod
    def _allow(role: iam.Role, action: str, resource: str) -> None:
        iam.Grant.add_to_principal(grantee=role, actions=[action], resource_arns=[resource])
