"""What a pull request would lose is found in what `cdk diff` says of our own templates."""

import copy
import dataclasses
import json
import shutil
import subprocess

import pytest

from tests.ci.scripts import script
from tests.stacks.conftest import BARE_ENVIRONMENT, ROOT

diff = script("diff")
CDK = ["node", str(ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"), "diff", "--method=template"]
QUIET = ["--no-color", "--no-notices", "--exclusively"]


@pytest.fixture
def said(production, tmp_path):
    """Return what `cdk diff` says of a stack when its deployed template becomes another one."""

    def compare(template, changed):
        folder = tmp_path / "cdk.out"
        shutil.copytree(production.folder, folder, dirs_exist_ok=True)
        deployed = tmp_path / "deployed.json"
        deployed.write_text(json.dumps(template.document))
        (folder / template.properties["templateFile"]).write_text(json.dumps(changed))
        command = [*CDK, *QUIET, "--app", str(folder), "--template", str(deployed), f"*/{template.stack_name[16:]}"]
        environment = BARE_ENVIRONMENT | {"HOME": str(tmp_path), "AWS_REGION": "eu-west-2"}
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout + run.stderr

    return compare


def lost(text):
    return {(loss.name.split()[0], loss.impact) for loss in diff.losses(text)}


def without_resources(template):
    return {**template.document, "Resources": {}, "Outputs": {}}


def holding(template):
    """The paths of what must not be lost: what the stateful stack holds, and what has a policy for its deletion."""
    return {
        path
        for path, resource in template.resources.items()
        if not resource["Type"].endswith("Policy")
        and ("DeletionPolicy" in resource or template.stack_name.endswith("Stateful"))
    }


def found(template, text):
    """The paths of the losses that were found, without the environment's name."""
    return {template.paths[loss.name.split()[-1]] for loss in diff.losses(text)}


def test_everything_that_holds_something_is_missed_when_it_is_removed(production, said):
    for template in production.templates:
        missed = found(template, said(template, without_resources(template)))
        assert holding(template) <= missed
        assert holding(template)
        kinds = {template.resources[path]["Type"] for path in missed}
        assert not kinds & {
            "AWS::IAM::Role",
            "AWS::Lambda::Function",
            "AWS::CloudWatch::Alarm",
            "AWS::S3::BucketPolicy",
        }


def test_a_table_that_is_kept_but_given_up_is_missed_too(production, said):
    """It would be left behind, and an empty one be used."""
    text = said(production.stateful, without_resources(production.stateful))
    assert {loss.impact for loss in diff.losses(text)} == {"destroy", "orphan"}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("AWS::DynamoDB::GlobalTable", {"KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}]}),
        ("AWS::S3::Bucket", {"BucketName": "another-name"}),
        ("AWS::SQS::Queue", {"QueueName": "another-name"}),
        ("AWS::Events::EventBus", {"Name": "another-name"}),
    ],
)
def test_a_change_that_replaces_what_holds_something_is_found(production, said, kind, change):
    template = production.stateful
    changed = copy.deepcopy(template.document)
    logical_id, resource = next((n, each) for n, each in changed["Resources"].items() if each["Type"] == kind)
    resource["Properties"] |= change
    losses = [loss for loss in diff.losses(said(template, changed)) if loss.name.endswith(logical_id)]
    assert [(loss.kind, loss.impact) for loss in losses] == [(kind, "replace")]


def test_an_export_that_goes_stops_the_deployment(production, said):
    template = production.stateful
    name = next(iter(template.document["Outputs"]))
    changed = copy.deepcopy(template.document)
    del changed["Outputs"][name]
    (told,) = diff.obstacles(said(template, changed))
    assert f"`{name}` of {template.stack_name} is exported no more" in told
    text = said(template, {**template.document, "Outputs": {}})
    assert len([*diff.obstacles(text)]) == len(template.document["Outputs"])


def index(name):
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": "some", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }


@pytest.mark.parametrize(
    ("before", "after", "stops"),
    [
        ([], ["new"], ""),
        ([], ["new", "other"], "new, other"),
        (["old"], [], ""),
        (["old", "older"], [], "old, older"),
        (["old"], ["old", "new"], ""),
        (["old"], ["old", "new", "other"], "new, other"),
        (["old", "older"], ["older"], ""),
        (["old"], ["new"], "new, old"),
        (["old", "older"], ["older", "old"], ""),
    ],
)
def test_one_index_of_a_table_can_change_at_a_time(production, said, before, after, stops):
    def indexed(names):
        document = copy.deepcopy(production.stateful.document)
        for resource in document["Resources"].values():
            if resource["Type"] == "AWS::DynamoDB::GlobalTable":
                resource["Properties"].pop("GlobalSecondaryIndexes", None)
                if names:
                    resource["Properties"]["GlobalSecondaryIndexes"] = [index(name) for name in names]
        return document

    deployed = dataclasses.replace(production.stateful, document=indexed(before))
    told = [*diff.obstacles(said(deployed, indexed(after)))]
    tables = production.stateful.of_type("AWS::DynamoDB::GlobalTable")
    assert len(told) == (len(tables) if stops else 0)
    assert all(f"changes the indexes {stops}." in each for each in told)


def test_a_change_in_place_loses_nothing(production, said):
    changed = copy.deepcopy(production.stateful.document)
    for resource in changed["Resources"].values():
        if resource["Type"] == "AWS::SQS::Queue":
            resource["Properties"]["VisibilityTimeout"] = 77
        if resource["Type"] == "AWS::DynamoDB::GlobalTable":
            resource["Properties"]["TableClass"] = "STANDARD_INFREQUENT_ACCESS"
    text = said(production.stateful, changed)
    assert "VisibilityTimeout" in text
    assert lost(text) == set()


def test_a_function_that_is_replaced_loses_nothing(production, said):
    changed = copy.deepcopy(production.stateless.document)
    for resource in changed["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["FunctionName"] = "another-name"
    text = said(production.stateless, changed)
    assert " replace" in text
    assert not any(loss.kind == "AWS::Lambda::Function" for loss in diff.losses(text))


def test_what_may_be_replaced_counts_as_lost():
    text = (
        "Stack Complaints-prod/Stateful (Complaints-prod-Stateful)\n[~] AWS::KMS::Key Data/Key Key1 may be replaced\n"
    )
    (loss,) = diff.losses(text)
    assert str(loss) == ("`Data/Key Key1` of Complaints-prod-Stateful (AWS::KMS::Key) may be replaced by an empty one")


def test_a_removal_of_an_unknown_form_is_not_taken_for_harmless():
    with pytest.raises(diff.UnreadableError, match="does not say what becomes of it"):
        list(diff.losses("[-] AWS::S3::Bucket Data/Bucket Bucket1 vanish\n"))
