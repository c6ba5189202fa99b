"""Promotion layer: on a schedule, each task's evidence is weighed and its strategy changed where that is called for."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.data import Data
from stacks.function import RuntimeFunction
from stacks.packages import Packages
from stacks.settings import Settings
from stacks.states import LoggedStateMachine, announcing, invoking, retried
from triage.environment import (
    ChangeStrategyEnvironment,
    CheckStrategyEnvironment,
    Environment,
    SchedulePromotionsEnvironment,
    WeighEvidenceEnvironment,
)
from triage.promotion.steps import (
    CHANGE_STRATEGY,
    CHECK_STRATEGY,
    PROMOTION_EVENT,
    WEIGH_EVIDENCE,
    Weighed,
)
from triage.steps import Step, path


class Promotion(Construct):
    """weigh the evidence → change the strategy → check what is in force → announce.

    One execution for each task, so that one task's trouble is no other's. Triage does not depend on any of it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.weigh_evidence = self._weigh_evidence(data, packages, settings)
        self.change_strategy = self._change_strategy(data, packages, settings)
        self.check_strategy = self._check_strategy(data, packages, settings)
        self.state_machine = LoggedStateMachine(
            self,
            "Promotion",
            definition=self._definition(data),
            timeout=Duration.minutes(15),
            functions=(self.weigh_evidence, self.change_strategy, self.check_strategy),
            settings=settings,
        )
        self.schedule_promotions = self._schedule_promotions(data, packages, settings)

    def _weigh_evidence(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        environment = WeighEvidenceEnvironment(
            code_version=packages.code_version,
            complaints_allocation_table=data.complaints_allocation.table.table_name,
            model_strategy_table=data.model_strategy.table.table_name,
            evidence_bucket=data.evidence.bucket.bucket_name,
        )
        function = self._step(
            "WeighEvidence", WEIGH_EVIDENCE, environment, packages, settings, timeout=Duration.minutes(5)
        )
        for index in ("by_labelled_day", "by_model", "by_failed_version"):
            data.complaints_allocation.allow(function, "Query", index=index)
        data.complaints_allocation.allow(function, "BatchGetItem")
        data.model_strategy.allow(function, "GetItem")
        data.evidence.allow(function.execution_role, "PutObject")
        return function

    def _change_strategy(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        environment = ChangeStrategyEnvironment(
            code_version=packages.code_version,
            model_info_table=data.model_info.table.table_name,
            model_strategy_table=data.model_strategy.table.table_name,
            champion_ledger_table=data.champion_ledger.table.table_name,
            second_approver=settings.second_approver,
        )
        function = self._step("ChangeStrategy", CHANGE_STRATEGY, environment, packages, settings)
        data.model_info.allow(function, "Query", index="by_state")
        data.model_info.allow(function, "UpdateItem", "ConditionCheckItem")
        data.model_strategy.allow(function, "GetItem", "PutItem")
        data.champion_ledger.allow(function, "Query", "PutItem")
        return function

    def _check_strategy(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        environment = CheckStrategyEnvironment(
            code_version=packages.code_version,
            model_info_table=data.model_info.table.table_name,
            model_strategy_table=data.model_strategy.table.table_name,
        )
        function = self._step("CheckStrategy", CHECK_STRATEGY, environment, packages, settings)
        data.model_info.allow(function, "Query", index="by_state")
        data.model_strategy.allow(function, "Scan")
        return function

    def _step(
        self,
        construct_id: str,
        step: Step,
        environment: Environment,
        packages: Packages,
        settings: Settings,
        timeout: Duration | None = None,
    ) -> RuntimeFunction:
        return RuntimeFunction(
            self,
            construct_id,
            module=step.name,
            package=packages.control,
            environment=environment,
            settings=settings,
            timeout=timeout or Duration.seconds(30),
        )

    def _definition(self, data: Data) -> sfn.Chain:
        soon = Duration.seconds(40)
        change = retried(invoking(self, self.change_strategy, timeout=soon))
        check = retried(invoking(self, self.check_strategy, timeout=soon))
        change.next(check).next(announcing(self, data, PROMOTION_EVENT))
        acts = sfn.Condition.boolean_equals(path(Weighed, "acts"), True)
        choice = sfn.Choice(self, "Acts").when(acts, change).otherwise(sfn.Succeed(self, "NothingToDo"))
        return retried(invoking(self, self.weigh_evidence, timeout=Duration.minutes(6))).next(choice)

    def _schedule_promotions(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "SchedulePromotions",
            module="schedule_promotions",
            package=packages.control,
            environment=SchedulePromotionsEnvironment(
                code_version=packages.code_version,
                model_strategy_table=data.model_strategy.table.table_name,
                promotion_machine_arn=self.state_machine.state_machine_arn,
            ),
            settings=settings,
            timeout=Duration.seconds(30),
        )
        data.model_strategy.allow(function, "Scan")
        self.state_machine.grant_start_execution(function)
        target = targets.LambdaFunction(function, event=events.RuleTargetInput.from_object({}))
        events.Rule(self, "Schedule", schedule=events.Schedule.rate(settings.promote_every), targets=[target])
        return function
