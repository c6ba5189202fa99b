"""Findings of cdk-nag that are meant so."""

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import Construct


def acknowledge(construct: Construct, rule: str, reason: str) -> None:
    """Accept one finding on the construct that owns it, with a reason that would convince a stranger."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_wildcard(construct: Construct, resource: str, reason: str) -> None:
    """Accept one wildcard resource in the policies below `construct`, written as cdk-nag writes it."""
    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{resource}]", reason)


def logical_id(construct: Construct) -> str:
    """As it stands in the template, and so in the findings."""
    element = construct.node.default_child
    if not isinstance(element, CfnElement):
        raise TypeError(f"{construct.node.path} is no single resource")
    return Stack.of(construct).get_logical_id(element)
