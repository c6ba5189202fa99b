"""The templates of an environment, synthesised by `app.py` in a process of its own, without credentials or network."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from local.state import ROOT

LAST_LINES = 3

Resource = Mapping[str, Any]


class SynthesisError(CommandError):
    """`app.py` wrote no templates. The message ends with its last lines."""


@dataclass(frozen=True)
class Stack:
    """One stack. resources: by logical id. region: where it is deployed."""

    name: str
    region: str
    resources: Mapping[str, Resource]

    def of_type(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the properties of all resources of a type."""
        return [found.get("Properties", {}) for found in self.resources.values() if found["Type"] == kind]


@dataclass(frozen=True)
class Templates:
    """All stacks of an environment, in the order in which they are deployed, and the files deployed with them.

    bootstrap: the version of `cdk bootstrap` that they need; None where they need none. bootstrap_parameter: where the
    account states its version.
    """

    environment: str
    folder: Path
    stacks: tuple[Stack, ...]
    bootstrap: int | None
    bootstrap_parameter: str | None

    @classmethod
    def read(cls, environment: str, folder: Path) -> "Templates":
        """Read what `app.py` wrote into a folder."""
        artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"].values()
        found = [artifact for artifact in artifacts if artifact["type"] == "aws:cloudformation:stack"]
        stacks = []
        for artifact in found:
            document = json.loads((folder / artifact["properties"]["templateFile"]).read_text())
            region = artifact["environment"].rpartition("/")[2]
            stacks.append(Stack(artifact["properties"]["stackName"], region, document["Resources"]))
        stated = (artifact["properties"] for artifact in found)
        needed = [properties for properties in stated if "requiresBootstrapStackVersion" in properties]
        return cls(
            environment,
            folder,
            # A stack that exports comes before the stack that imports.
            tuple(sorted(stacks, key=lambda stack: "Fn::ImportValue" in json.dumps(stack.resources))),
            max((one["requiresBootstrapStackVersion"] for one in needed), default=None),
            needed[0]["bootstrapStackVersionSsmParameter"] if needed else None,
        )

    @property
    def region(self) -> str:
        return self.stacks[0].region

    @cached_property
    def counts(self) -> Counter[str]:
        """Return how many resources of each type are created."""
        return Counter(resource["Type"] for stack in self.stacks for resource in stack.resources.values())

    def of_type(self, kind: str) -> Iterator[Mapping[str, Any]]:
        for stack in self.stacks:
            yield from stack.of_type(kind)

    def assets(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """Yield the assets of a kind, `files` or `dockerImages`, each once."""
        seen = set()
        for file in sorted(self.folder.glob("*.assets.json")):
            for name, asset in json.loads(file.read_text()).get(kind, {}).items():
                if name not in seen:
                    seen.add(name)
                    yield asset


def synthesised(environment: str, folder: Path, *, root: Path = ROOT) -> Templates:
    """Synthesise an environment into a folder, which takes some ten seconds, and return its templates.

    Raises: SynthesisError.
    """
    settled = json.loads((root / "cdk.json").read_text()).get("context", {})
    context = settled | {"environment": environment, "aws:cdk:enable-path-metadata": True}
    # jsii finds Node through the path, and Node comes with the environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    variables = {"PATH": path, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=root, env={**os.environ, **variables}, capture_output=True, text=True
    )
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:])
        raise SynthesisError(f"the templates of {environment} cannot be synthesised: {said}; see `make synth`")
    return Templates.read(environment, folder)
