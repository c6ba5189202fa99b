"""Promotion layer: on a schedule, weighs the evidence about challengers, and changes strategies accordingly."""

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.function import Foundation, RuntimeFunction
from stacks.states import LoggedStateMachine, announcing, invoking, longest
from triage.functions import CHANGE_STRATEGY, CHECK_STRATEGY, SCHEDULE_PROMOTIONS, WEIGH_EVIDENCE
from triage.promotion.steps import PROMOTION_EVENT, Weighed
from triage.steps import path


class Promotion(Construct):
    """weigh the evidence → change the strategy → check what is in force → announce.

    One execution for each task, so that a failure of one task stops no other. Triage does not depend on any of it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self.weigh_evidence = RuntimeFunction(
            self, "WeighEvidence", function=WEIGH_EVIDENCE, base=base, timeout=Duration.minutes(5)
        )
        for index in ("by_labelled_day", "by_model", "by_failed_version"):
            data.complaints_allocation.allow(self.weigh_evidence, "Query", index=index)
        data.complaints_allocation.allow(self.weigh_evidence, "BatchGetItem")
        data.model_strategy.allow(self.weigh_evidence, "GetItem")
        data.evidence.allow(self.weigh_evidence.execution_role, "PutObject")

        self.change_strategy = RuntimeFunction(self, "ChangeStrategy", function=CHANGE_STRATEGY, base=base)
        data.model_info.allow(self.change_strategy, "Query", index="by_state")
        data.model_info.allow(self.change_strategy, "UpdateItem", "ConditionCheckItem")
        data.model_strategy.allow(self.change_strategy, "GetItem", "PutItem")
        data.champion_ledger.allow(self.change_strategy, "Query", "PutItem")

        self.check_strategy = RuntimeFunction(self, "CheckStrategy", function=CHECK_STRATEGY, base=base)
        data.model_info.allow(self.check_strategy, "Query", index="by_state")
        data.model_strategy.allow(self.check_strategy, "Scan")

        self.state_machine = self._machine(base)
        self.schedule_promotions = RuntimeFunction(
            self,
            "SchedulePromotions",
            function=SCHEDULE_PROMOTIONS,
            base=base,
            values={"promotion_machine_arn": self.state_machine.state_machine_arn},
        )
        data.model_strategy.allow(self.schedule_promotions, "Scan")
        self.state_machine.grant_start_execution(self.schedule_promotions)
        self.schedule_promotions.run_every(base.settings.promote_every, rule="Schedule", event={})

    def _machine(self, base: Foundation) -> LoggedStateMachine:
        soon = Duration.seconds(40)
        weigh = invoking(self, self.weigh_evidence, timeout=Duration.minutes(6))
        change = invoking(self, self.change_strategy, timeout=soon)
        check = invoking(self, self.check_strategy, timeout=soon)
        announce = announcing(self, base.data, PROMOTION_EVENT, base.settings)
        acts = sfn.Condition.boolean_equals(path(Weighed, "acts"), True)
        choice = sfn.Choice(self, "Acts").when(acts, change).otherwise(sfn.Succeed(self, "NothingToDo"))
        change.next(check).next(announce)
        return LoggedStateMachine(
            self,
            "Promotion",
            definition=weigh.next(choice),
            # Otherwise it ends before the last try, and a change may be in force that nobody checked or announced.
            timeout=longest(weigh, change, check, announce),
            functions=(self.weigh_evidence, self.change_strategy, self.check_strategy),
            data=base.data,
            settings=base.settings,
        )
