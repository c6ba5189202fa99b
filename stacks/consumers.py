"""What others need: a role for product teams, and names published as parameters."""

from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.data import Data
from stacks.rights import PersonRole
from stacks.settings import Settings
from triage.feedback import INBOX, WRITABLE


class Consumers(Construct):
    """Product teams read allocations and their stories, never narratives, and put rows of feedback."""

    def __init__(self, scope: Construct, construct_id: str, *, data: Data, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.role = PersonRole(
            self,
            "ProductTeam",
            description="Reads allocations by team and time, and hands in feedback",
            settings=settings,
        )
        data.complaints_allocation.allow(self.role, "GetItem", "Query")
        data.complaints_allocation.allow(self.role, "Query", index="by_team")
        data.complaints_allocation.allow(self.role, "PutItem", attributes=WRITABLE, partitions=f"{INBOX}*")


class Published(Construct):
    """Names that people and other systems need, as SSM parameters `/complaints-triage/<environment>/<name>`."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, names: dict[str, str]) -> None:
        super().__init__(scope, construct_id)
        for name, value in names.items():
            ssm.StringParameter(
                self,
                "".join(part.title() for part in name.split("-")),
                parameter_name=f"{settings.parameter_path}/{name}",
                string_value=value,
            )
