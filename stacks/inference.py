"""Inference layer: the functions behind the steps, each with the least it needs."""

from typing import TypeVar

from aws_cdk import Duration, Size
from constructs import Construct

from stacks.data import Data
from stacks.function import RuntimeFunction
from stacks.packages import Package, Packages
from stacks.settings import Settings
from triage.environment import AllocateEnvironment, ModelInferenceEnvironment, SelectModelsEnvironment
from triage.steps import ALLOCATE, MODEL_INFERENCE, SELECT_MODELS, Step

Judging = TypeVar("Judging", bound=ModelInferenceEnvironment)


def judging_environment(told: type[Judging], data: Data, packages: Packages, settings: Settings) -> Judging:
    return told(
        code_version=packages.code_version,
        raw_complaints_table=data.raw_complaints.table.table_name,
        complaints_allocation_table=data.complaints_allocation.table.table_name,
        bundles_bucket=data.bundles.bucket.bucket_name,
        retention_days=settings.retention_days,
        loaded_models=settings.loaded_models,
        loaded_megabytes=settings.loaded_megabytes,
    )


class JudgingFunction(RuntimeFunction):
    """Asks models of one engine: reads complaints and bundles, and adds predictions to stories."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        step: Step,
        package: Package,
        environment: ModelInferenceEnvironment,
        data: Data,
        settings: Settings,
        timeout: Duration,
        concurrency: int,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            module=step.name,
            package=package,
            environment=environment,
            settings=settings,
            timeout=timeout,
            # 1,769 MB is one whole processor.
            memory_megabytes=3008 if package.is_image else 1769,
            storage=Size.gibibytes(4) if package.is_image else Size.gibibytes(2),
            concurrency=concurrency,
        )
        data.raw_complaints.allow(self, "GetItem")
        data.complaints_allocation.allow(self, "GetItem", "PutItem")
        data.bundles.allow(self.execution_role, "GetObject")


class Inference(Construct):
    """select_models, allocate, and model_inference once for each engine."""

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.select_models = self._select_models(data, packages, settings)
        self.model_inference, self.model_inference_transformers = (
            JudgingFunction(
                self,
                construct_id,
                step=MODEL_INFERENCE,
                package=package,
                environment=judging_environment(ModelInferenceEnvironment, data, packages, settings),
                data=data,
                settings=settings,
                timeout=Duration.seconds(60),
                concurrency=settings.inference_concurrency,
            )
            for construct_id, package in (
                ("ModelInference", packages.onnx),
                ("ModelInferenceTransformers", packages.transformers),
            )
        )
        self.allocate = self._allocate(data, packages, settings)

    def _select_models(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "SelectModels",
            module=SELECT_MODELS.name,
            package=packages.control,
            environment=SelectModelsEnvironment(
                code_version=packages.code_version,
                raw_complaints_table=data.raw_complaints.table.table_name,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
                model_info_table=data.model_info.table.table_name,
                model_strategy_table=data.model_strategy.table.table_name,
                retention_days=settings.retention_days,
            ),
            settings=settings,
            timeout=Duration.seconds(30),
        )
        data.raw_complaints.allow(function, "GetItem")
        data.complaints_allocation.allow(function, "GetItem", "PutItem")
        data.model_info.allow(function, "Query", index="by_state")
        data.model_strategy.allow(function, "Scan")
        return function

    def _allocate(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "Allocate",
            module=ALLOCATE.name,
            package=packages.control,
            environment=AllocateEnvironment(
                code_version=packages.code_version,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
                retention_days=settings.retention_days,
            ),
            settings=settings,
            timeout=Duration.seconds(30),
        )
        data.complaints_allocation.allow(function, "Query", "PutItem")
        return function
