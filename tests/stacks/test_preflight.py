"""What `triage preflight` reads of the real templates: every type and every fixed name has to be known to it."""

import re

import pytest

from cli.aws.preflight import NAMES, QUOTAS, UNCOUNTED, architecture, fixed_names
from cli.templates import Templates
from tests.stacks.conftest import Synthesis

REFERRING = {"EventBusName", "FunctionName", "MetricName", "PolicyName", "S3BucketName", "StreamName", "TableName"}
"""Properties that may name another resource, or nothing that has to be unique."""


def templates(synthesis: Synthesis) -> Templates:
    return Templates.read(synthesis.environment, synthesis.folder)


def test_every_type_has_a_quota_or_a_reason_why_none_is_checked(synthesis: Synthesis):
    kinds = {kind for kind in templates(synthesis).counts if not kind.startswith("Custom::")}
    assert kinds - QUOTAS.keys() - UNCOUNTED.keys() == set()
    assert not QUOTAS.keys() & UNCOUNTED.keys()


def test_every_fixed_name_is_looked_for(synthesis: Synthesis):
    found = templates(synthesis)
    stated = {
        (resource["Type"], value)
        for stack in found.stacks
        for resource in stack.resources.values()
        for name, value in resource.get("Properties", {}).items()
        if re.fullmatch(r"(?:\w+)?Name", name) and isinstance(value, str)
        if name not in REFERRING or NAMES.get(resource["Type"], ("",))[0] == name
    }
    assert stated == set(fixed_names(found)) != set()


def test_the_stacks_say_where_they_go_and_which_bootstrap_they_need(production: Synthesis):
    found = templates(production)
    assert [stack.name for stack in found.stacks] == ["Complaints-prod-Stateful", "Complaints-prod-Stateless"]
    assert found.region == "eu-west-2" and found.bootstrap and found.bootstrap_parameter
    assert {asset["source"]["platform"] for asset in found.assets("dockerImages")} == {"linux/arm64"}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_functions_layers_and_images_are_for_one_processor(syntheses, environment):
    check = architecture(templates(syntheses[environment]))
    assert check.ok, check


def test_the_embedded_aws_needs_no_bootstrap(local: Synthesis):
    assert templates(local).bootstrap is None
