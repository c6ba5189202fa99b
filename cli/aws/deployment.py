"""The deployment that `--env` names. Its SSM parameters hold the names of its tables and functions."""

import os
import pwd
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import NoDeploymentError
from cli.output import err
from local.keys import Keys
from local.session import PEOPLE, loopback_session
from local.session import session as local_session
from local.state import DEFAULT_STATE, Instance, State, read
from local.up import wait_until_healthy
from runtime.adapters.anchors import Anchors
from runtime.adapters.dynamodb import Table
from runtime.adapters.outbox import Outbox
from runtime.adapters.registry import Registry
from triage import tables
from triage.tables import TableSpec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGIONS = {"dev": "eu-west-2", "prod": "eu-west-2"}


class Deployment:
    """One environment: its tables, and the names that it publishes as parameters."""

    def __init__(self, session: boto3.Session, environment: str) -> None:
        self.session = session
        self.environment = environment

    def name(self, parameter: str) -> str:
        """Return the name of a table, function or role that the environment publishes under `parameter`.

        Raises: NoDeploymentError where it publishes none.
        """
        if parameter not in self._names:
            raise NoDeploymentError(f"{self.environment} publishes no {parameter}: {_how_to_deploy(self.environment)}")
        return self._names[parameter]

    def acting_as(self, role: str) -> boto3.Session:
        """Return a session that has the rights of a published role and no others.

        Raises:
            NoDeploymentError: the environment publishes no such role.
            ClientError: the caller may not assume it.
        """
        issued = self.session.client("sts").assume_role(RoleArn=self.name(role), RoleSessionName=PEOPLE)
        credentials = issued["Credentials"]
        return self._session_of(
            Credentials(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        )

    def _session_of(self, credentials: Credentials) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
            region_name=self.session.region_name,
        )

    @cached_property
    def operator(self) -> str:
        """Who acts, for the record: the ARN of whom AWS takes the caller for. No variable of the shell changes it."""
        arn: str = self.session.client("sts").get_caller_identity()["Arn"]
        return arn

    def table(self, spec: TableSpec) -> Table:
        return Table(self._dynamodb, spec, self.name(f"{spec.name.replace('_', '-')}-table"))

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        """Return one client for all tables, because making a client takes a tenth of a second."""
        return self.session.client("dynamodb")

    @cached_property
    def complaints(self) -> Table:
        return self.table(tables.RAW_COMPLAINTS)

    @cached_property
    def story(self) -> Table:
        return self.table(tables.COMPLAINTS_ALLOCATION)

    @cached_property
    def registry(self) -> Registry:
        return Registry(*(self.table(t) for t in (tables.MODEL_INFO, tables.MODEL_STRATEGY, tables.CHAMPION_LEDGER)))

    @cached_property
    def anchors(self) -> Anchors:
        return Anchors(self.session.client("s3"), self.name("anchors-bucket"))

    def outbox(self) -> Outbox:
        return Outbox(self.complaints, retention_days=int(self.name("retention-days")))

    @cached_property
    def _names(self) -> dict[str, str]:
        prefix = f"/complaints-triage/{self.environment}/"
        pages = self.session.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=prefix)
        try:
            parameters = [parameter for page in pages for parameter in page["Parameters"]]
        except (BotoCoreError, ClientError) as error:
            raise NoDeploymentError(
                f"{self.environment} cannot be reached: {error}. Check the AWS credentials and the region of this shell"
            ) from error
        return {parameter["Name"].removeprefix(prefix): parameter["Value"] for parameter in parameters}


class LocalDeployment(Deployment):
    """The embedded AWS. Its sessions reach the loopback interface and nothing else."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(local_session(instance), "local")
        self._instance = instance

    @cached_property
    def operator(self) -> str:
        """Who acts, for the record: the operating system's user who runs the command."""
        return local_user()

    def _session_of(self, credentials: Credentials) -> boto3.Session:
        return loopback_session(self._instance.aws_endpoint, credentials)


def local_user() -> str:
    """Return the name of the user as whom this process runs; its number where the system knows no name."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def find(environment: str, *, state: Path = DEFAULT_STATE) -> Deployment:
    """Return the deployment of an environment.

    Raises: NoDeploymentError where the embedded AWS does not run.
    """
    if environment != "local":
        return Deployment(boto3.Session(region_name=REGIONS[environment]), environment)
    return LocalDeployment(running_instance(state))


def running_instance(state: Path = DEFAULT_STATE) -> Instance:
    """Raises: NoDeploymentError where the embedded AWS of this state folder does not run."""
    found = wait_until_healthy(state, on_progress=lambda line: err.print(line, soft_wrap=True))
    if found.supervised and not found.running:
        silent = ", ".join(name for name, well in found.healthy.items() if not well)
        raise NoDeploymentError(f"the embedded AWS runs but {silent} does not answer: try again, or run `triage up`")
    if found.instance is None or not found.running:
        raise NoDeploymentError("the embedded AWS is not running: start it with `triage up`")
    return found.instance


def hub_endpoint(environment: str, state: Path = DEFAULT_STATE) -> str | None:
    """Return the address of the embedded Hub, or None for the Hub that huggingface_hub is configured for.

    Raises: NoDeploymentError where the embedded AWS does not run.
    """
    return running_instance(state).hub_endpoint if environment == "local" else None


def hub_token(environment: str, state: Path = DEFAULT_STATE) -> str | None:
    """Return the token of the embedded Hub. None stands for the token that huggingface_hub is configured for."""
    found = read(State(state).keys, Keys) if environment == "local" else None
    return found.hub if found else None


def _how_to_deploy(environment: str) -> str:
    return "run `triage up`" if environment == "local" else f"run `make deploy ENVIRONMENT={environment}`"
