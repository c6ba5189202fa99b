"""Grants of single actions on single resources, and the roles that people assume."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


def allow(grantee: iam.IGrantable, resource_arn: str, *actions: str) -> None:
    """Grant actions, such as `sqs:SendMessage`, on one resource."""
    iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=[resource_arn])


class PersonRole(iam.Role):
    """A role that people of this account may assume."""

    def __init__(self, scope: Construct, construct_id: str, *, description: str) -> None:
        account = iam.AccountPrincipal(Stack.of(scope).account)
        super().__init__(scope, construct_id, assumed_by=account, description=description)
