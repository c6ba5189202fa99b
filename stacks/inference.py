"""Inference layer: the functions that select models, ask them and allocate, each with the least rights it needs."""

from aws_cdk import Duration
from constructs import Construct

from stacks.function import Foundation, RuntimeFunction, judging_functions
from triage.functions import ALLOCATE, MODEL_INFERENCE, SELECT_MODELS


class Inference(Construct):
    """select_models, allocate, and model_inference once for each engine."""

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self.select_models = RuntimeFunction(self, "SelectModels", function=SELECT_MODELS, base=base)
        data.raw_complaints.allow(self.select_models, "GetItem")
        data.complaints_allocation.allow(self.select_models, "GetItem", "PutItem")
        data.model_info.allow(self.select_models, "Query", index="by_state")
        data.model_strategy.allow(self.select_models, "Scan")

        self.model_inference = judging_functions(
            self,
            "ModelInference",
            function=MODEL_INFERENCE,
            base=base,
            timeout=Duration.seconds(60),
            concurrency=base.settings.inference_concurrency,
        )

        self.allocate = RuntimeFunction(self, "Allocate", function=ALLOCATE, base=base)
        data.complaints_allocation.allow(self.allocate, "Query", "PutItem")
