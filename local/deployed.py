"""What is deployed, read from CloudFormation: each resource with the properties that its template asked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from local.session import ACCOUNT, REGION
from local.state import LocalError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import StackStatusType

COMPLETE: tuple["StackStatusType", ...] = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

_ARNS: dict[str, Callable[[str], str]] = {
    "AWS::DynamoDB::GlobalTable": lambda name: _arn("dynamodb", f"table/{name}"),
    "AWS::DynamoDB::Table": lambda name: _arn("dynamodb", f"table/{name}"),
    "AWS::KMS::Key": lambda key: _arn("kms", f"key/{key}"),
    "AWS::Lambda::Function": lambda name: _arn("lambda", f"function:{name}"),
    "AWS::S3::Bucket": lambda name: f"arn:aws:s3:::{name}",
    "AWS::SNS::Topic": lambda arn: arn,
    "AWS::SQS::Queue": lambda url: _arn("sqs", url.rsplit("/", 1)[-1]),
}
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


class NotAppliedError(LocalError):
    """A setting of a template could not be read, or does not hold although it was set."""


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@dataclass(frozen=True, kw_only=True)
class Resource:
    stack: str
    logical_id: str
    physical_id: str
    type: str
    raw: Mapping[str, Any]
    resolve: Callable[[Any], Any]

    def get(self, name: str) -> Any:
        """A property without intrinsic functions; None if the template does not set it."""
        return self.resolve(self.raw.get(name))

    def __str__(self) -> str:
        return f"{self.stack}/{self.logical_id} ({self.type} {self.physical_id})"


class Template:
    """One stack's template, whose intrinsic functions are replaced by what was deployed."""

    def __init__(
        self, stack: str, resources: Mapping[str, Any], physical: Mapping[str, str], exports: Mapping[str, str]
    ) -> None:
        self._stack = stack
        self._resources = resources
        self._physical = physical
        self._exports = exports

    def __iter__(self) -> Iterator[Resource]:
        for logical_id, resource in self._resources.items():
            if logical_id in self._physical:
                yield Resource(
                    stack=self._stack,
                    logical_id=logical_id,
                    physical_id=self._physical[logical_id],
                    type=resource["Type"],
                    raw=resource.get("Properties", {}),
                    resolve=self.resolve,
                )

    def resolve(self, value: Any) -> Any:
        """Raises: NotAppliedError at an intrinsic function that is not understood."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and (name := next(iter(value))) in ("Ref", "Fn::GetAtt", "Fn::ImportValue", "Fn::Join"):
            return self._call(name, value[name])
        if any(key.startswith("Fn::") for key in value):
            raise NotAppliedError(f"{self._stack}: cannot read {dict(value)}; teach it to {__name__}.Template")
        return {key: self.resolve(item) for key, item in value.items()}

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return _PSEUDO.get(argument) or self._of(argument)
            case "Fn::ImportValue":
                return self._exports[self.resolve(argument)]
            case "Fn::Join":
                return argument[0].join(self.resolve(part) for part in argument[1])
        logical_id, attribute = argument
        arn = _ARNS.get(self._resources[logical_id]["Type"])
        if attribute != "Arn" or arn is None:
            raise NotAppliedError(f"{self._stack}: cannot read {argument}; teach it to {__name__}._ARNS")
        return arn(self._of(logical_id))

    def _of(self, logical_id: str) -> str:
        if logical_id not in self._physical:
            raise NotAppliedError(f"{self._stack}: {logical_id} is no deployed resource; deploy again")
        return self._physical[logical_id]


def stacks(aws: boto3.Session) -> list[str]:
    pages = aws.client("cloudformation").get_paginator("list_stacks").paginate(StackStatusFilter=list(COMPLETE))
    return [stack["StackName"] for page in pages for stack in page["StackSummaries"]]


def resources(aws: boto3.Session, stacks: list[str]) -> list[Resource]:
    cloudformation = aws.client("cloudformation")
    listed = cloudformation.get_paginator("list_exports").paginate()
    exports = {export["Name"]: export["Value"] for page in listed for export in page["Exports"]}
    found: list[Resource] = []
    for stack in stacks:
        body: Any = cloudformation.get_template(StackName=stack)["TemplateBody"]
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        physical = {
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
        if isinstance(body, str):
            raise NotAppliedError(f"{stack}: its template is YAML; deploy it with cdk, which uploads JSON")
        found.extend(Template(stack, body["Resources"], physical, exports))
    return found
