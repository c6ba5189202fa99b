"""The Lambda function of one module of `runtime`, and what it may do to a table."""

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.packages import ARCHITECTURE, RUNTIME, Package
from stacks.settings import Settings
from triage.environment import Environment


class RuntimeFunction(lambda_.Function):
    """Runs `runtime.<module>.handler` with its typed environment, its own log group and a role of its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        module: str,
        package: Package,
        environment: Environment,
        settings: Settings,
        timeout: Duration,
        memory_megabytes: int = 512,
        storage: Size | None = None,
        concurrency: int | None = None,
    ) -> None:
        log_group = logs.LogGroup(
            scope, f"{construct_id}Logs", retention=settings.log_retention, removal_policy=RemovalPolicy.DESTROY
        )
        # Not the managed basic role: it may write every log group of the account.
        role = iam.Role(scope, f"{construct_id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        super().__init__(
            scope,
            construct_id,
            code=package.code,
            runtime=lambda_.Runtime.FROM_IMAGE if package.is_image else RUNTIME,
            handler=lambda_.Handler.FROM_IMAGE if package.is_image else f"runtime.{module}.handler",
            architecture=ARCHITECTURE,
            layers=list(package.layers) or None,
            environment=environment.variables(),
            role=role,
            log_group=log_group,
            timeout=timeout,
            memory_size=memory_megabytes,
            ephemeral_storage_size=storage,
            reserved_concurrent_executions=concurrency,
        )
        self.execution_role = role
