"""The Lambda functions of `triage.functions` as constructs, with their environment, log group, role and triggers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from aws_cdk import Duration, Size
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from stacks.data import Data, SpecifiedTable
from stacks.findings import acknowledge
from stacks.log_group import EncryptedLogGroup
from stacks.packages import ARCHITECTURE, RUNTIME, Package, Packages
from stacks.settings import Settings
from triage.bundle import Engine
from triage.functions import Environment, Function
from triage.inference.memory import NEEDS

HALF_A_MINUTE = Duration.seconds(30)
HOUR = Duration.hours(1)
INFERENCE_TIME = Duration.minutes(1)
"""For loading a model and asking it about one complaint."""

_NO_NETWORK = "docs/decisions/0021-functions-are-in-no-vpc.md says why, and what limits where a function may go"
ACCEPTED = {
    "CKV_AWS_116": "Where an event invokes it, the event's source has the destination for failed events",
    "CKV_AWS_117": _NO_NETWORK,
    "CT.LAMBDA.PR.3": _NO_NETWORK,
    "CKV_AWS_173": "Its environment names resources and limits, and holds no secret",
}
"""What offline tools ask of every function, and why none has it."""


@dataclass(frozen=True)
class Capacity:
    memory_megabytes: int
    storage: Size

    def largest_bundle(self, engine: Engine) -> int:
        """Return the megabytes of files that a function can hold on its disk and in memory, loaded alone."""
        disk = self.storage.to_mebibytes() * 2**20 / 1e6
        return int(min(disk, NEEDS[engine].largest(self.memory_megabytes)))


CAPACITIES: Mapping[Engine, Capacity] = {
    # Lambda gives one whole processor at 1,769 MB.
    "onnx": Capacity(memory_megabytes=1769, storage=Size.gibibytes(2)),
    # The most that a new account may give a function.
    "transformers": Capacity(memory_megabytes=3008, storage=Size.gibibytes(4)),
}
"""Of the functions that run an engine."""


@dataclass(frozen=True)
class Foundation:
    """What every layer with functions is built on."""

    data: Data
    packages: Packages
    settings: Settings

    @cached_property
    def values(self) -> dict[str, object]:
        """Every value that a field of an `Environment` may have, by the field's name.

        A layer passes what only it knows, such as the ARN of its state machine, to `RuntimeFunction`.
        """
        data = self.data
        return {
            **vars(self.settings),
            "metrics_namespace": self.settings.metrics_namespace,
            "event_source": self.settings.event_source,
            "stale_after_seconds": round(self.settings.stale_after.to_seconds()),
            "sweep_every_seconds": round(self.settings.sweep_every.to_seconds()),
            "sweep_slices": self._slices(self.settings.sweep_all_every),
            "verify_slices": self._slices(self.settings.verify_all_every),
            "code_version": self.packages.code_version,
            **{f"{table.spec.name}_table": table.table.table_name for table in data.tables},
            "bundles_bucket": data.bundles.bucket.bucket_name,
            "evidence_bucket": data.evidence.bucket.bucket_name,
            "anchors_bucket": data.anchors.bucket.bucket_name,
            "parked_queue_url": data.parked.queue_url,
            "bus_name": data.bus.event_bus_name,
        }

    def _slices(self, all_every: Duration) -> int:
        return round(all_every.to_seconds() / self.settings.sweep_every.to_seconds())


def filled(model: type[Environment], known: Mapping[str, object]) -> Environment:
    """Build a function's environment from the values of its fields' names.

    Raises: LookupError naming the fields that have no value.
    """
    missing = sorted(model.model_fields.keys() - known.keys())
    if missing:
        raise LookupError(
            f"{model.__name__}: no value is known for {', '.join(missing)}. Each field is filled in by its name: "
            "add it to `Foundation.values` in stacks/function.py, or to the `values` of the RuntimeFunction"
        )
    return model.model_validate({name: known[name] for name in model.model_fields})


class RuntimeFunction(lambda_.Function):
    """Runs one function of `triage.functions`, with a log group and a role of its own.

    package: its code and libraries; by default those of the control functions.
    values: for fields of its environment that `Foundation.values` lacks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: Function,
        base: Foundation,
        package: Package | None = None,
        values: Mapping[str, object] | None = None,
        timeout: Duration = HALF_A_MINUTE,
        memory_megabytes: int = 512,
        storage: Size | None = None,
        concurrency: int | None = None,
    ) -> None:
        package = package or base.packages.control
        log_group = EncryptedLogGroup(scope, f"{construct_id}Logs", data=base.data, settings=base.settings)
        # Not AWS's managed role for Lambda: that may write to every log group of the account.
        role = iam.Role(scope, f"{construct_id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        super().__init__(
            scope,
            construct_id,
            code=package.code,
            runtime=lambda_.Runtime.FROM_IMAGE if package.is_image else RUNTIME,
            handler=lambda_.Handler.FROM_IMAGE if package.is_image else function.handler,
            architecture=ARCHITECTURE,
            layers=list(package.layers) or None,
            environment=filled(function.environment, base.values | dict(values or {})).variables(),
            role=role,
            log_group=log_group,
            timeout=timeout,
            memory_size=memory_megabytes,
            ephemeral_storage_size=storage,
            reserved_concurrent_executions=concurrency,
        )
        self.execution_role = role
        for rule, reason in ACCEPTED.items():
            acknowledge(self, rule, reason)
        if concurrency is None:
            acknowledge(
                self, "CKV_AWS_115", "A reservation is taken from all others: functions that a burst may starve"
            )
        self.schedules: dict[events.Rule, Duration] = {}
        self._undelivered = base.data.undelivered

    @property
    def reads_stream(self) -> bool:
        return any(isinstance(child, lambda_.EventSourceMapping) for child in self.node.children)

    def read_stream(
        self,
        table: SpecifiedTable,
        *,
        batch_size: int,
        only: Mapping[str, object] | None = None,
        retry_attempts: int | None = 10,
        max_record_age: Duration = HOUR,
        max_batching_window: Duration | None = None,
    ) -> None:
        """Invoke the function with the keys of changed items. only: the filter of their records.

        Lambda retries failed deliveries, and the records behind them wait. retry_attempts: None for any number.
        max_record_age: after this time the records go to the bucket of undelivered ones.
        """
        self.add_event_source(
            sources.DynamoEventSource(
                table.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=batch_size,
                max_batching_window=max_batching_window,
                retry_attempts=retry_attempts,
                max_record_age=max_record_age,
                bisect_batch_on_error=batch_size > 1 or None,
                filters=[lambda_.FilterCriteria.filter(dict(only))] if only else None,
                on_failure=self._undelivered.records_of(self.execution_role),
            )
        )

    def run_every(
        self,
        period: Duration,
        *,
        rule: str,
        event: Mapping[str, object] | None = None,
        aligned: bool = False,
        retry_attempts: int = 0,
    ) -> None:
        """Invoke the function on a schedule. rule: the construct id. event: by default the scheduler's own.

        aligned: whether the runs are at the full hour and every period after it, instead of at any time.
        retry_attempts: by default none, because the next run does the work of one that failed. What failed for good is
        reported as undelivered.
        """
        sent = None if event is None else events.RuleTargetInput.from_object(dict(event))
        target = self._undelivered.after(targets.LambdaFunction(self, event=sent))
        layer = cast(Construct, self.node.scope)
        rate = events.Schedule.rate(period)
        clock = events.Schedule.cron(minute=f"0/{round(period.to_minutes())}")
        scheduled = events.Rule(layer, rule, schedule=clock if aligned else rate, targets=[target])
        self.schedules[scheduled] = period
        destination = lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self._undelivered.queue.queue_arn)
        lambda_.CfnEventInvokeConfig(
            layer,
            f"{self.node.id}Failed",
            function_name=self.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=retry_attempts,
            maximum_event_age_in_seconds=round(HOUR.to_seconds()),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(on_failure=destination),
        )
        self._undelivered.allow_sending(self.execution_role)


def reserved_concurrency(template: Mapping[str, Any]) -> int:
    """Return what the functions of a template take from the account's concurrency. Lambda keeps 100 more unreserved."""
    functions = (
        one for one in template["Resources"].values() if one["Type"] == lambda_.CfnFunction.CFN_RESOURCE_TYPE_NAME
    )
    return sum(function["Properties"].get("ReservedConcurrentExecutions", 0) for function in functions)


def judging_functions(
    scope: Construct,
    construct_id: str,
    *,
    function: Function,
    base: Foundation,
    timeout: Duration,
    concurrency: int | None,
) -> dict[Engine, RuntimeFunction]:
    """Build one function for each engine. It reads complaints and bundles, and adds predictions to stories."""
    functions = engine_functions(
        scope, construct_id, function=function, base=base, timeout=timeout, concurrency=concurrency
    )
    for each in functions.values():
        base.data.raw_complaints.allow(each, "GetItem")
        base.data.complaints_allocation.allow(each, "GetItem", "PutItem")
        base.data.bundles.allow(each.execution_role, "GetObject")
    return functions


def engine_functions(
    scope: Construct,
    construct_id: str,
    *,
    function: Function,
    base: Foundation,
    timeout: Duration,
    concurrency: int | None,
) -> dict[Engine, RuntimeFunction]:
    """Build one function for each engine, with its package, memory and disk, and no rights yet."""
    packages: dict[Engine, tuple[str, Package]] = {
        "onnx": (construct_id, base.packages.onnx),
        "transformers": (f"{construct_id}Transformers", base.packages.transformers(function)),
    }
    return {
        engine: RuntimeFunction(
            scope,
            name,
            function=function,
            base=base,
            package=package,
            timeout=timeout,
            memory_megabytes=CAPACITIES[engine].memory_megabytes,
            storage=CAPACITIES[engine].storage,
            concurrency=concurrency,
        )
        for engine, (name, package) in packages.items()
    }
