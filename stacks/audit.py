"""Audit layer: changes of records are sealed into chains, complaints are held and erased, and narratives are read."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from stacks.data import EXPIRY_ATTRIBUTE
from stacks.function import Foundation, RuntimeFunction
from stacks.rights import PersonRole, allow
from triage.functions import ERASE, HOLD, KEEP_HELD, READ_NARRATIVE, SEAL, Function


class Audit(Construct):
    """Triage does not wait for any of these functions.

    privacy_officer: the role that erases and holds complaints. auditor: the role that reads narratives, each reading
    being recorded, and the files of the models that judged them.
    """

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self._base = base
        self.seal = self._seal()

        self.erase = self._function("Erase", ERASE, Duration.minutes(1))
        data.raw_complaints.allow(self.erase, "GetItem", attributes=("triage_state",))
        data.raw_complaints.allow(self.erase, "DeleteItem")
        data.complaints_allocation.allow(self.erase, "DeleteItem", "PutItem", "Query")

        self.hold = self._holding("Hold", HOLD)
        data.complaints_allocation.allow(self.hold, "PutItem")
        self.keep_held = self._holding("KeepHeld", KEEP_HELD)
        data.complaints_allocation.allow(self.keep_held, "Query", index="by_hold")
        self.keep_held.run_every(Duration.days(1), rule="KeepHeldDaily", retry_attempts=2)

        self.read_narrative = self._function("ReadNarrative", READ_NARRATIVE, Duration.seconds(30))
        data.raw_complaints.allow(self.read_narrative, "GetItem")
        data.complaints_allocation.allow(self.read_narrative, "PutItem")

        self.privacy_officer = PersonRole(
            self,
            "PrivacyOfficer",
            description="Has complaints erased, and held against expiry",
            settings=base.settings,
            smoke_tested=True,
        )
        for function in (self.erase, self.hold):
            allow(self.privacy_officer, function.function_arn, "lambda:InvokeFunction")
        self.auditor = PersonRole(
            self,
            "Auditor",
            description="Replays decisions on the text they were made about; each reading is recorded",
            settings=base.settings,
        )
        allow(self.auditor, self.read_narrative.function_arn, "lambda:InvokeFunction")
        data.bundles.allow(self.auditor, "GetObject")

    def _seal(self) -> RuntimeFunction:
        """Build the only function that may add to a chain."""
        data = self._base.data
        seal = self._function("Seal", SEAL, Duration.minutes(5))
        data.complaints_allocation.allow(seal, "BatchGetItem", "Query", "Scan")
        data.audit_chain.allow(seal, "PutItem", "Query", "Scan")
        data.anchors.allow(seal.execution_role, "PutObject")
        seal.read_stream(
            data.complaints_allocation,
            batch_size=200,
            max_batching_window=Duration.seconds(1),
            # None may be left out, so it is tried until the stream is about to drop the records. An alarm watches this.
            retry_attempts=None,
            max_record_age=Duration.hours(23),
        )
        # What the stream has lost all the same is found slice by slice, and sealed late. Then a slice is verified.
        seal.run_every(
            self._base.settings.sweep_every, rule="SealLate", event={"at": events.EventField.time}, aligned=True
        )
        return seal

    def _holding(self, construct_id: str, holding: Function) -> RuntimeFunction:
        """Build a function that may change when the records of a complaint expire, and may not read its narrative."""
        data = self._base.data
        function = self._function(construct_id, holding, Duration.minutes(15))
        for table in (data.complaints_allocation, data.audit_chain):
            table.allow(function, "Query")
        for table in (data.complaints_allocation, data.audit_chain):
            table.allow(function, "UpdateItem", attributes=(EXPIRY_ATTRIBUTE,))
        data.raw_complaints.allow(function, "UpdateItem", attributes=(EXPIRY_ATTRIBUTE, "triage_held"))
        return function

    def _function(self, construct_id: str, function: Function, timeout: Duration) -> RuntimeFunction:
        return RuntimeFunction(self, construct_id, function=function, base=self._base, timeout=timeout)
