"""MLOps layer: a row in `model_info` becomes a verified bundle in S3, which was tried on letters."""

from aws_cdk import Duration, Size
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.function import CAPACITIES, INFERENCE_TIME, Foundation, RuntimeFunction, engine_functions
from stacks.rights import allow
from triage.functions import MIRROR, TRY_MODEL

MAX_BUNDLE_MEGABYTES = 2000
"""Of all files, in every format: more than the largest that any engine loads."""


class MLOps(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        # As those that serve models, so that a model which needs more than they have is refused here.
        self.try_model = engine_functions(
            self, "TryModel", function=TRY_MODEL, base=base, timeout=INFERENCE_TIME, concurrency=None
        )
        self.mirror = RuntimeFunction(
            self,
            "Mirror",
            function=MIRROR,
            base=base,
            values={
                "max_bundle_megabytes": MAX_BUNDLE_MEGABYTES,
                **{f"max_{engine}_megabytes": each.largest_bundle(engine) for engine, each in CAPACITIES.items()},
                **{f"try_{engine}_function": each.function_name for engine, each in self.try_model.items()},
            },
            timeout=Duration.minutes(10),
            memory_megabytes=1024,
            storage=Size.gibibytes(6),
        )
        for function in self.try_model.values():
            data.bundles.allow(function.execution_role, "GetObject")
            allow(self.mirror, function.function_arn, "lambda:InvokeFunction")
        data.model_info.allow(self.mirror, "GetItem", "UpdateItem")
        data.bundles.allow(self.mirror.execution_role, "GetObject", "PutObject")
        # Without this right, S3 answers 403 instead of 404 for a missing object.
        allow(self.mirror, data.bundles.bucket.bucket_arn, "s3:ListBucket")
        if base.settings.hub_token_secret is not None:
            secret = secretsmanager.Secret.from_secret_name_v2(self, "HubToken", base.settings.hub_token_secret)
            secret.grant_read(self.mirror)
        # Every change of a row, not only new ones: clearing `failure` asks for another try.
        self.mirror.read_stream(data.model_info, batch_size=1)
