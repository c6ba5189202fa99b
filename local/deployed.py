"""What is deployed: each resource with the properties that its template asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3

from local.session import ACCOUNT, REGION
from local.state import LocalError


class NotAppliedError(LocalError):
    """A property of a template could not be read, or does not hold although it was set."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A deployed resource; `properties` are those of its template, with intrinsic functions."""

    stack: str
    logical_id: str
    physical_id: str
    type: str
    properties: Mapping[str, Any]
    resolve: Callable[[Any], Any]

    def get(self, name: str) -> Any:
        """Return a property without intrinsic functions, or None if the template does not set it."""
        return self.resolve(self.properties.get(name))

    def __str__(self) -> str:
        return f"{self.stack}/{self.logical_id} ({self.type} {self.physical_id})"


def deployed_stacks(aws: boto3.Session) -> list[str]:
    """Return the names of the stacks whose last operation is complete."""
    stacks = aws.client("cloudformation").get_paginator("list_stacks")
    pages = stacks.paginate(StackStatusFilter=["CREATE_COMPLETE", "UPDATE_COMPLETE"])
    return [stack["StackName"] for page in pages for stack in page["StackSummaries"]]


def resources(aws: boto3.Session, stack: str) -> list[Resource]:
    cloudformation = aws.client("cloudformation")
    body: Any = cloudformation.get_template(StackName=stack)["TemplateBody"]
    if isinstance(body, str):
        raise NotAppliedError(f"{stack}: its template is YAML; deploy it with cdk, which uploads JSON")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    listed = [resource for page in pages for resource in page["StackResourceSummaries"]]
    physical = {resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "") for resource in listed}
    exports = {
        export["Name"]: export["Value"]
        for page in cloudformation.get_paginator("list_exports").paginate()
        for export in page["Exports"]
    }
    return deployed(stack, body["Resources"], physical, exports)


def deployed(
    stack: str, template: Mapping[str, Any], physical: Mapping[str, str], exports: Mapping[str, str]
) -> list[Resource]:
    """Return the resources of a template that have a physical id. exports: what stacks export, by name."""
    return [
        Resource(
            stack=stack,
            logical_id=logical_id,
            physical_id=physical[logical_id],
            type=resource["Type"],
            properties=resource.get("Properties", {}),
            resolve=partial(_resolved, stack, template, physical, exports),
        )
        for logical_id, resource in template.items()
        if logical_id in physical
    ]


def _resolved(
    stack: str, template: Mapping[str, Any], physical: Mapping[str, str], exports: Mapping[str, str], value: Any
) -> Any:
    """Replace references to resources, to the ARN of a KMS key, and to other stacks, by what was deployed.

    Raises: NotAppliedError at any other intrinsic function, and at a resource that is not deployed.
    """
    if isinstance(value, list):
        return [_resolved(stack, template, physical, exports, item) for item in value]
    if not isinstance(value, Mapping):
        return value
    match dict(value):
        case {"Ref": str(logical_id)} if logical_id in physical and len(value) == 1:
            return physical[logical_id]
        case {"Fn::GetAtt": [str(logical_id), "Arn"]} if (
            logical_id in physical and template[logical_id]["Type"] == "AWS::KMS::Key"
        ):
            return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{physical[logical_id]}"
        case {"Fn::ImportValue": str(name)} if name in exports and len(value) == 1:
            return exports[name]
        case dict(unknown) if any(name == "Ref" or name.startswith("Fn::") for name in unknown):
            raise NotAppliedError(f"{stack}: cannot read {unknown}; deploy again, or extend {__name__}._resolved")
    return {name: _resolved(stack, template, physical, exports, item) for name, item in value.items()}
