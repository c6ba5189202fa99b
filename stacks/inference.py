"""Inference layer: the functions behind the steps, each with the least it needs."""

from aws_cdk import Duration, Size
from constructs import Construct

from stacks.data import Data
from stacks.function import RuntimeFunction
from stacks.packages import Package, Packages
from stacks.settings import Settings
from triage.environment import AllocateEnvironment, ModelInferenceEnvironment, SelectModelsEnvironment
from triage.steps import ALLOCATE, MODEL_INFERENCE, SELECT_MODELS


class Inference(Construct):
    """select_models, allocate, and model_inference once for each engine."""

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.select_models = self._select_models(data, packages, settings)
        self.model_inference = self._model_inference("ModelInference", packages.onnx, data, packages, settings)
        self.model_inference_transformers = self._model_inference(
            "ModelInferenceTransformers", packages.transformers, data, packages, settings
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

    def _model_inference(
        self, construct_id: str, package: Package, data: Data, packages: Packages, settings: Settings
    ) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            construct_id,
            module=MODEL_INFERENCE.name,
            package=package,
            environment=ModelInferenceEnvironment(
                code_version=packages.code_version,
                raw_complaints_table=data.raw_complaints.table.table_name,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
                bundles_bucket=data.bundles.bucket.bucket_name,
                retention_days=settings.retention_days,
                loaded_models=settings.loaded_models,
            ),
            settings=settings,
            timeout=Duration.seconds(60),
            # 1,769 MB is one whole processor.
            memory_megabytes=3008 if package.is_image else 1769,
            storage=Size.gibibytes(4) if package.is_image else Size.gibibytes(2),
            concurrency=settings.inference_concurrency,
        )
        data.raw_complaints.allow(function, "GetItem")
        data.complaints_allocation.allow(function, "GetItem", "PutItem")
        data.bundles.allow(function.execution_role, "GetObject")
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
