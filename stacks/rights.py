"""Grants of single actions on single resources, and the roles that people assume."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.settings import Settings


def allow(grantee: iam.IGrantable, resource_arn: str, *actions: str) -> None:
    """Grant actions, such as `sqs:SendMessage`, on one resource."""
    iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=[resource_arn])


class PersonRole(iam.Role):
    """A role that people of this account may assume, with a second factor where the settings ask for it.

    smoke_tested: whether `triage smoke` assumes it, so that the role of GitHub's jobs needs no second factor.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, description: str, settings: Settings, smoke_tested: bool = False
    ) -> None:
        account = iam.AccountPrincipal(Stack.of(scope).account)
        people: iam.PrincipalBase = account
        if settings.second_factor:
            people = people.with_conditions({"Bool": {"aws:MultiFactorAuthPresent": "true"}})
        super().__init__(scope, construct_id, assumed_by=people, description=description)
        if settings.second_factor and smoke_tested and self.assume_role_policy is not None:
            check = Stack.of(self).format_arn(
                service="iam", region="", resource="role", resource_name=f"{settings.check_role}*"
            )
            self.assume_role_policy.add_statements(
                iam.PolicyStatement(
                    actions=["sts:AssumeRole"],
                    principals=[account],
                    conditions={"ArnLike": {"aws:PrincipalArn": check}},
                )
            )
