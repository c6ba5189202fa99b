"""What `cdk synth` wrote for one environment: its templates, and where each resource comes from in the code."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ACCEPTED = "accepted"
"""The key of a resource's metadata that holds accepted findings, as `stacks.findings.acknowledge` writes them."""


@dataclass(frozen=True)
class Assembly:
    """folder: the output folder of one synthesis, with its manifest and templates."""

    environment: str
    folder: Path

    @cached_property
    def _stacks(self) -> list[dict[str, Any]]:
        artifacts = json.loads((self.folder / "manifest.json").read_text())["artifacts"].values()
        return [artifact for artifact in artifacts if artifact["type"] == "aws:cloudformation:stack"]

    @cached_property
    def templates(self) -> list[Path]:
        return [self.folder / stack["properties"]["templateFile"] for stack in self._stacks]

    @cached_property
    def region(self) -> str:
        """The region of all stacks. Raises: ValueError where they are in several."""
        (region,) = {stack["environment"].rsplit("/", 1)[1] for stack in self._stacks}
        return str(region)

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Every resource of every stack, by its logical id. CDK gives each a hash of its path, so none collide."""
        found: dict[str, dict[str, Any]] = {}
        for template in self.templates:
            found |= json.loads(template.read_text())["Resources"]
        return found

    def path(self, logical_id: str) -> str:
        """Return the construct path of a resource, or its logical id where it has none."""
        return str(self.resources.get(logical_id, {}).get("Metadata", {}).get("aws:cdk:path", logical_id))

    @cached_property
    def accepted(self) -> set[tuple[str, str]]:
        """Every (logical id, rule) that the code accepts."""
        return {
            (logical_id, rule)
            for logical_id, resource in self.resources.items()
            for rule in resource.get("Metadata", {}).get(ACCEPTED, {})
        }
