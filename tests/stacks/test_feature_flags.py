"""Every behaviour that the CDK lets an application choose is chosen in `cdk.json`, and as the CDK recommends."""

import json
import tarfile
from pathlib import Path
from typing import Any

import aws_cdk
import pytest

from tests.stacks.conftest import ROOT

DECIDED_OTHERWISE = {
    # Data outlives the stack that can be rebuilt: CloudFormation refuses to remove what the other stack uses.
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
    # The templates serve every partition of AWS, and their tests read ARNs without one.
    "@aws-cdk/core:enablePartitionLiterals": False,
    # A synthesis prints findings alone; the command prints warnings once.
    "@aws-cdk/core:annotationsInValidationReport": False,
    # Nobody is told which constructs and properties the application uses.
    "@aws-cdk/core:enableAdditionalMetadataCollection": False,
}


def recommended() -> dict[str, Any]:
    """The flags that a new application gets from the installed library."""
    (library,) = (Path(aws_cdk.__file__).parent / "_jsii").glob("*.tgz")
    with tarfile.open(library) as archive:
        file = archive.extractfile("package/recommended-feature-flags.json")
        assert file is not None
        flags: dict[str, Any] = json.load(file)
        return flags


@pytest.fixture(scope="module")
def chosen() -> dict[str, Any]:
    flags: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return flags


def test_every_flag_is_chosen_and_no_other(chosen):
    """After an update of the CDK: decide on the new flags, and remove those that it no longer knows."""
    assert chosen.keys() == recommended().keys()


def test_flags_follow_the_recommendation_or_a_reason(chosen):
    assert chosen == recommended() | DECIDED_OTHERWISE
    assert all(recommended()[flag] != value for flag, value in DECIDED_OTHERWISE.items())


def test_findings_of_cloudformations_own_rules_stop_a_synthesis(chosen):
    assert chosen["@aws-cdk/core:validateAgainstDefaultRules"] is True
