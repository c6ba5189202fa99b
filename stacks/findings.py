"""Findings of cdk-nag and of the tools of `make audit` that are accepted, each with its reason."""

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import Construct, IConstruct

from stacks.settings import Settings

ACCEPTED = "accepted"
"""The key of a resource's metadata under which `make audit` finds what is accepted."""


IMPORTED_KEY = "It has a key: of the other stack, where cfn-guard does not look. checkov and our own rules do."


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding on the construct that owns it. The reason has to convince a stranger.

    rule: of cdk-nag (`AwsSolutions-S1`), checkov (`CKV_AWS_18`), Control Tower (`CT.S3.PR.2`) or cfn-lint (`W3005`).
    """
    if rule.startswith("AwsSolutions-"):
        Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
    else:
        resource = _resource(construct)
        accepted = resource.get_metadata(ACCEPTED) or {}
        resource.add_metadata(ACCEPTED, {**accepted, rule: reason})


def acknowledge_plain_http(construct: Construct, rule: str, settings: Settings) -> None:
    """Accept that a resource takes plain HTTP, in the environment that has no TLS."""
    if not settings.https_only:
        acknowledge(construct, rule, "The embedded AWS listens on loopback without TLS.")


def acknowledge_wildcard(construct: Construct, resource: str, reason: str) -> None:
    """Accept one wildcard resource in the policies below `construct`. resource: as cdk-nag writes it."""
    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{resource}]", reason)


def logical_id(construct: Construct) -> str:
    """Return the id of a construct's resource in the template, which cdk-nag uses in its findings."""
    return Stack.of(construct).get_logical_id(_resource(construct))


def _resource(construct: IConstruct) -> CfnResource:
    element = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(element, CfnResource):
        raise TypeError(
            f"{construct.node.path} has no logical id, because it has no default resource: pass one of its resources"
        )
    return element
