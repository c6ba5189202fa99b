"""One synthesis of each environment per session, by `app.py` itself. All infrastructure tests read its templates."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = str(Path(sys.executable).parent)
# jsii finds Node through PATH, and Node comes as a wheel.
os.environ["PATH"] = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}"

CLOSED_PORT = "http://127.0.0.1:9"
BARE_ENVIRONMENT = {
    # No docker, no aws, no git: the programs of the virtual environment alone.
    "PATH": PROGRAMS,
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    **{name: CLOSED_PORT for scheme in ("http", "https", "all") for name in (f"{scheme}_proxy", f"{scheme}_PROXY")},
}

MEASURING = {name: value for name, value in os.environ.items() if name == "COVERAGE_PROCESS_CONFIG"}
"""How `make coverage` measures other processes. A copy whose sources a test has changed is not measured."""

BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"

DERIVED = re.compile(r":?Complaints(local|dev|prod)State(ful|less)\w+")

Resource = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """The template of one stack. Its resources are named by their construct paths below the stack."""

    stack_name: str
    properties: Mapping[str, Any]
    document: Mapping[str, Any]

    @cached_property
    def paths(self) -> dict[str, str]:
        """Construct paths, such as `Data/RawComplaints/Table`, by logical id, without the environment's name."""
        return {
            logical_id: DERIVED.sub("", resource["Metadata"]["aws:cdk:path"].split("/", 2)[2]).removesuffix("/Resource")
            for logical_id, resource in self.document["Resources"].items()
        }

    @cached_property
    def resources(self) -> dict[str, Resource]:
        return {self.paths[logical_id]: resource for logical_id, resource in self.document["Resources"].items()}

    def of_type(self, kind: str) -> dict[str, Any]:
        """The properties of all resources of one type, by path."""
        return {
            path: resource.get("Properties", {})
            for path, resource in self.resources.items()
            if resource["Type"] == kind
        }


@dataclass(frozen=True)
class Synthesis:
    """What `app.py` wrote for one environment, in a process without network, credentials or Docker."""

    environment: str
    returncode: int
    output: str
    folder: Path

    def _template(self, name: str) -> Template:
        artifacts = json.loads((self.folder / "manifest.json").read_text())["artifacts"]
        (stack,) = (
            artifact
            for artifact in artifacts.values()
            if artifact["type"] == "aws:cloudformation:stack"
            and artifact["properties"].get("stackName") == f"Complaints-{self.environment}-{name}"
        )
        document = json.loads((self.folder / stack["properties"]["templateFile"]).read_text())
        return Template(stack["properties"]["stackName"], stack["properties"], document)

    @cached_property
    def stateful(self) -> Template:
        return self._template("Stateful")

    @cached_property
    def stateless(self) -> Template:
        return self._template("Stateless")

    @property
    def templates(self) -> tuple[Template, Template]:
        return self.stateful, self.stateless

    @cached_property
    def warnings(self) -> list[str]:
        """The warnings of constructs, as the CDK command would print them."""
        manifest = json.loads((self.folder / "manifest.json").read_text())
        return [entry["data"] for entry in _entries(manifest, self.folder) if entry["type"] == "aws:cdk:warning"]

    @cached_property
    def _exports(self) -> dict[str, tuple[Template, Any]]:
        return {
            output["Export"]["Name"]: (template, output["Value"])
            for template in self.templates
            for output in template.document.get("Outputs", {}).values()
            if "Export" in output
        }

    def readable(self, value: Any, template: Template | None = None) -> str:
        """Return a template's value as text, such as `Data/RawComplaints/Table.Arn/index/by_state`."""
        template = template or self.stateless
        if not isinstance(value, dict):
            return str(value)
        ((function, argument),) = value.items()
        if function == "Ref":
            return template.paths.get(argument, f"<{argument}>")
        if function == "Fn::GetAtt":
            return f"{template.paths[argument[0]]}.{argument[1]}"
        if function == "Fn::ImportValue":
            exporter, exported = self._exports[argument]
            return self.readable(exported, exporter)
        if function == "Fn::Join":
            separator, parts = argument
            return str(separator).join(self.readable(part, template) for part in parts)
        if function == "Fn::Select":
            number, parts = argument
            return f"{self.readable(parts, template)}[{number}]"
        if function == "Fn::Split":
            separator, text = argument
            return f"{self.readable(text, template)}.split({separator})"
        raise ValueError(f"{function}: this function of CloudFormation has no text yet; add a case here")

    def permissions(self, role: str) -> set[tuple[str, str]]:
        """Return every (action, resource) that the policies of a role of the stateless stack allow."""
        return {
            (action, self.readable(resource))
            for statement in self.statements(role)
            for action in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        }

    def statements(self, role: str) -> Iterator[dict[str, Any]]:
        for policy in self.stateless.of_type("AWS::IAM::Policy").values():
            if role in map(self.readable, policy["Roles"]):
                yield from policy["PolicyDocument"]["Statement"]
        for policy in self.stateless.of_type("AWS::IAM::Role")[role].get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]

    @cached_property
    def functions(self) -> dict[str, Any]:
        return self.stateless.of_type("AWS::Lambda::Function")

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The state machine that triages, in Amazon's States Language."""
        return self._definition("Orchestration/Triage")

    @cached_property
    def shadow_definition(self) -> dict[str, Any]:
        return self._definition("Shadows/Shadow")

    @cached_property
    def promotion_definition(self) -> dict[str, Any]:
        return self._definition("Promotion/Promotion")

    @cached_property
    def explanation_definition(self) -> dict[str, Any]:
        return self._definition("Explanations/Explanation")

    def _definition(self, path: str) -> dict[str, Any]:
        machine = self.stateless.of_type("AWS::StepFunctions::StateMachine")[path]
        definition: dict[str, Any] = json.loads(self.readable(machine["DefinitionString"]))
        return definition


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _entries(manifest: Mapping[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    for artifact in manifest["artifacts"].values():
        found = artifact.get("metadata", {})
        if "additionalMetadataFile" in artifact:
            found = found | json.loads((folder / artifact["additionalMetadataFile"]).read_text())
        for entries in found.values():
            yield from entries


def _checkout(folder: Path) -> Path:
    """Copy what a synthesis reads. The copy has a build folder of its own, without layers."""
    for package in ("stacks", "triage", "runtime"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", folder)
    return folder


def _start(checkout: Path, environment: str | None, **context: str) -> "subprocess.Popen[str]":
    """Run the application as `cdk synth` does, with the context in its environment."""
    settled = json.loads((ROOT / "cdk.json").read_text())["context"]
    named = {"environment": environment} if environment else {}
    variables = {
        "CDK_OUTDIR": str(checkout / "cdk.out"),
        "CDK_CONTEXT_JSON": json.dumps(settled | {"aws:cdk:enable-path-metadata": True} | named | context),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "app.py"],
        cwd=checkout,
        env=BARE_ENVIRONMENT | MEASURING | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


FIXTURES = {"local": "local", "dev": "dev", "production": "prod", "altered": "altered"}


def _asked_for(item: pytest.Item) -> set[str]:
    """The syntheses that a test reads, by its fixtures and its parameters."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    fixtures: list[str] = getattr(item, "fixturenames", [])
    named = {parameters.get("synthesis"), parameters.get("environment"), *map(FIXTURES.get, fixtures)}
    return {name for name in FIXTURES.values() if name in named}


@pytest.fixture(scope="session")
def syntheses(request, tmp_path_factory) -> dict[str, Synthesis]:
    """The syntheses that the selected tests need, run in parallel. `altered` is an application with faults."""
    asked_for = sorted({name for item in request.session.items for name in _asked_for(item)})
    checkouts = {name: _checkout(tmp_path_factory.mktemp(name)) for name in asked_for}
    started = {}
    for name, checkout in checkouts.items():
        if name == "altered":
            _alter(checkout)
            started[name] = _start(checkout, None, hub_endpoint="http://127.0.0.1:1234", permissions_boundary=BOUNDARY)
        else:
            # `local` is the environment where none is named.
            started[name] = _start(checkout, None if name == "local" else name)
    finished = {}
    for name, process in started.items():
        output, _ = process.communicate(timeout=180)
        environment = "local" if name == "altered" else name
        finished[name] = Synthesis(environment, process.returncode, output, checkouts[name] / "cdk.out")
    return finished


def _alter(checkout: Path) -> None:
    """Add a bucket that anybody may read over plain HTTP, a Hub whose token is a secret, and what empties buckets."""
    application = checkout / "app.py"
    open_bucket = "from aws_cdk import Stack, aws_s3\naws_s3.Bucket(Stack(app, 'Other'), 'Open')\napp.synth()"
    application.write_text(application.read_text().replace("app.synth()", open_bucket))
    settings = checkout / "stacks" / "settings.py"
    changes = {'"complaints-triage/local/hub-token"': "'hub/token'", "empties_buckets=False": "empties_buckets=True"}
    text = settings.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    settings.write_text(text)


@pytest.fixture(scope="session")
def altered(syntheses) -> Synthesis:
    return _synthesized(syntheses["altered"])


@pytest.fixture(scope="session", params=["local", "dev", "prod"])
def synthesis(request, syntheses) -> Synthesis:
    """Each environment in turn."""
    return _synthesized(syntheses[request.param])


@pytest.fixture(scope="session")
def local(syntheses) -> Synthesis:
    return _synthesized(syntheses["local"])


@pytest.fixture(scope="session")
def dev(syntheses) -> Synthesis:
    return _synthesized(syntheses["dev"])


@pytest.fixture(scope="session")
def production(syntheses) -> Synthesis:
    return _synthesized(syntheses["prod"])


def _synthesized(synthesis: Synthesis) -> Synthesis:
    """Fail with the output where there are no templates. A finding of cdk-nag still leaves templates to read."""
    if not (synthesis.folder / "manifest.json").exists():
        pytest.fail(synthesis.output, pytrace=False)
    return synthesis
