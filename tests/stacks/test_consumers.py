import ast
from pathlib import Path

import pytest

from cli.aws.deployment import REGIONS, Deployment
from cli.errors import NoDeploymentError
from stacks.settings import SETTINGS
from triage.tables import TABLES

CLI = Path(__file__).parents[2] / "cli"
PUBLISHED = {
    "alarms-topic": "Alarms/Topic",
    "raw-complaints-table": "Data/RawComplaints/Table",
    "complaints-allocation-table": "Data/ComplaintsAllocation/Table",
    "audit-chain-table": "Data/AuditChain/Table",
    "model-info-table": "Data/ModelInfo/Table",
    "model-strategy-table": "Data/ModelStrategy/Table",
    "champion-ledger-table": "Data/ChampionLedger/Table",
    "bundles-bucket": "Data/Bundles/Bucket",
    "anchors-bucket": "Data/Anchors/Bucket",
    "evidence-bucket": "Data/Evidence/Bucket",
    "undelivered-bucket": "Data/Undelivered/Store/Bucket",
    "undelivered-queue": "Data/Undelivered/Queue",
    "promotion-machine": "Promotion/Promotion",
    "bus": "Data/Bus",
    "parked-queue": "Data/Parked",
    "state-machine": "Orchestration/Triage",
    "product-team-role": "Consumers/ProductTeam.Arn",
    "auditor-role": "Audit/Auditor.Arn",
    "privacy-officer-role": "Audit/PrivacyOfficer.Arn",
    "erase-function": "Audit/Erase",
    "read-narrative-function": "Audit/ReadNarrative",
    "hold-function": "Audit/Hold",
    "keep-held-function": "Audit/KeepHeld",
    "explainer-role": "Explanations/Explainer.Arn",
    "explanation-state-machine": "Explanations/Explanation",
    "deliver-explanation-function": "Explanations/DeliverExplanation",
    "sweep-function": "Intake/Sweep",
    "mirror-function": "MLOps/Mirror",
}
"""The resource that each published name stands for. `retention-days` is a number, `second-approver` yes or no."""


def parameters(synthesis) -> dict[str, str]:
    found = synthesis.stateless.of_type("AWS::SSM::Parameter").values()
    return {parameter["Name"]: synthesis.readable(parameter["Value"]) for parameter in found}


class PublishingSession:
    """An AWS session whose parameter store holds the parameters of a template, one on each page."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._parameters = parameters

    def client(self, service):
        return self if service == "ssm" else object()

    def get_paginator(self, operation):
        assert operation == "get_parameters_by_path"
        return self

    # The name is AWS's.
    def paginate(self, *, Path):  # noqa: N803
        for name, value in self._parameters.items():
            if name.startswith(Path):
                yield {"Parameters": [{"Name": name, "Value": value}]}


@pytest.fixture
def deployment(synthesis):
    return Deployment(PublishingSession(parameters(synthesis)), synthesis.environment)  # type: ignore[arg-type]


def names_asked_for() -> set[str]:
    """Return the arguments of all calls `….name("…")` in the command line."""
    calls = [n for file in CLI.rglob("*.py") for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "name" and call.args
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }


def test_a_parameter_names_the_resource_that_it_says(synthesis):
    prefix = f"/complaints-triage/{synthesis.environment}/"
    published = {name.removeprefix(prefix): value for name, value in parameters(synthesis).items()}
    assert published.pop("retention-days").isdigit()
    assert published.pop("second-approver") in {"yes", "no"}
    assert published == PUBLISHED


def test_the_command_line_finds_every_name_that_it_asks_for(deployment):
    asked = names_asked_for()
    assert asked >= {"state-machine", "retention-days"}
    assert all(deployment.name(name) for name in asked)


def test_the_command_line_finds_every_table(deployment):
    for spec in TABLES:
        assert deployment.table(spec)
        named = deployment.name(f"{spec.name.replace('_', '-')}-table")
        assert named == f"Data/{spec.name.title().replace('_', '')}/Table"


def test_the_command_line_keeps_outbox_entries_as_long_as_the_functions_do(deployment, synthesis):
    told = synthesis.functions["Intake/Intake"]["Environment"]["Variables"]
    assert deployment.name("retention-days") == told["RETENTION_DAYS"]


def test_a_name_that_is_not_published_is_refused(deployment):
    with pytest.raises(NoDeploymentError, match="publishes no unknown"):
        deployment.name("unknown")


def test_parameters_hold_no_secrets(synthesis):
    """Everybody who may list parameters reads them."""
    assert {p["Type"] for p in synthesis.stateless.of_type("AWS::SSM::Parameter").values()} == {"String"}


def test_the_product_teams_role_says_what_it_is_for(synthesis):
    assert synthesis.stateless.of_type("AWS::IAM::Role")["Consumers/ProductTeam"]["Description"]


def test_the_command_line_looks_for_each_environment_in_its_region():
    """The regions are written twice, because the command must not import the CDK."""
    assert {name: settings.region for name, settings in SETTINGS.items() if name != "local"} == REGIONS
