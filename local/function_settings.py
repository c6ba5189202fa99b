"""Functions, what calls them, and where they log."""

from typing import Any

from botocore.exceptions import ClientError

from local.deployed import Resource
from local.setting import Clients, Setting, asked

_MAPPING = (
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "FilterCriteria",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "ScalingConfig",
)
_ASYNCHRONOUS = ("DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")


def given(resource: Resource, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: resource.get(name) for name in names if name in resource.raw}


def _function(configuration: Resource) -> dict[str, str]:
    """CloudFormation names an EventInvokeConfig `function:qualifier`."""
    name, _, qualifier = configuration.physical_id.rpartition(":")
    return {"FunctionName": name, "Qualifier": qualifier}


def _asynchronous_found(clients: Clients, configuration: Resource) -> Any:
    try:
        return clients.functions.get_function_event_invoke_config(**_function(configuration))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None


def _retention_found(clients: Clients, group: Resource) -> Any:
    groups = clients.logs.describe_log_groups(logGroupNamePrefix=group.physical_id)["logGroups"]
    return next((found.get("retentionInDays") for found in groups if found["logGroupName"] == group.physical_id), None)


SETTINGS = [
    Setting(
        types=("AWS::Lambda::Function",),
        property="ReservedConcurrentExecutions",
        wanted=asked("ReservedConcurrentExecutions"),
        found=lambda clients, function: clients.functions.get_function_concurrency(
            FunctionName=function.physical_id
        ).get("ReservedConcurrentExecutions"),
        apply=lambda clients, function, wanted: clients.functions.put_function_concurrency(
            FunctionName=function.physical_id, ReservedConcurrentExecutions=wanted
        ),
    ),
    Setting(
        types=("AWS::Lambda::EventInvokeConfig",),
        property="DestinationConfig and retries",
        wanted=lambda configuration: given(configuration, _ASYNCHRONOUS),
        found=_asynchronous_found,
        apply=lambda clients, configuration, wanted: clients.functions.put_function_event_invoke_config(
            **_function(configuration), **wanted
        ),
    ),
    Setting(
        types=("AWS::Lambda::EventSourceMapping",),
        property="batching, retries and destination",
        wanted=lambda mapping: given(mapping, _MAPPING),
        found=lambda clients, mapping: clients.functions.get_event_source_mapping(UUID=mapping.physical_id),
        apply=lambda clients, mapping, wanted: clients.functions.update_event_source_mapping(
            UUID=mapping.physical_id, **wanted
        ),
    ),
    Setting(
        types=("AWS::Logs::LogGroup",),
        property="RetentionInDays",
        wanted=asked("RetentionInDays"),
        found=_retention_found,
        apply=lambda clients, group, wanted: clients.logs.put_retention_policy(
            logGroupName=group.physical_id, retentionInDays=wanted
        ),
    ),
    Setting(
        types=("AWS::ApiGatewayV2::Api",),
        property="CorsConfiguration",
        wanted=asked("CorsConfiguration"),
        found=lambda clients, api: clients.apigateway.get_api(ApiId=api.physical_id).get("CorsConfiguration"),
        apply=lambda clients, api, wanted: clients.apigateway.update_api(
            ApiId=api.physical_id, CorsConfiguration=wanted
        ),
    ),
]
