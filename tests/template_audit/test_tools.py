"""What the offline tools find in templates, and which of it the code accepts."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from template_audit import tools
from template_audit.__main__ import rule_rows, tool_row
from template_audit.assembly import Assembly
from template_audit.rules import Rules, read_report
from template_audit.tools import Finding, ToolFailedError, cfn_guard, cfn_lint, checkov, open_findings

OPEN_BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "PublicAccessBlockConfiguration": {
            name: False
            for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        }
    },
    "Metadata": {"aws:cdk:path": "App/Stateful/Open/Resource"},
}


def assembly(folder: Path, **resources) -> Assembly:
    """Write an assembly with one stack, as `cdk synth` does."""
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/eu-west-2",
        "properties": {"templateFile": "Stack.template.json"},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"Stack": stack}}))
    (folder / "Stack.template.json").write_text(json.dumps({"Resources": resources}))
    return Assembly("dev", folder)


@pytest.mark.parametrize(
    ("tool", "rule"), [(checkov, "CKV_AWS_53"), (cfn_guard, "CT.S3.PR.1")], ids=["checkov", "cfn-guard"]
)
def test_a_public_bucket_is_found(tmp_path, tool, rule):
    assert (rule, "Open") in {(found.rule, found.resource) for found in tool(assembly(tmp_path, Open=OPEN_BUCKET))}


def test_who_comes_while_cfn_guard_is_unpacked_gets_a_program_that_runs(tmp_path, monkeypatch):
    program, _ = tools._guard()
    write = tarfile.TarFile.makefile
    versions: list[str] = []

    def write_while_another_comes(archive, member, path):
        write(archive, member, path)
        if Path(path).parts[-3:] == program.parts[-3:] and not versions:
            versions.append("the other is here")
            versions.append(version())

    def version() -> str:
        return subprocess.run([tools._guard()[0], "--version"], capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(tools, "GUARD", tmp_path / "guard")
    monkeypatch.setattr(tarfile.TarFile, "makefile", write_while_another_comes)
    assert version() == versions[1]
    assert [folder.name for folder in (tmp_path / "guard").iterdir()] == [program.parents[4].name]


def test_a_property_that_cloudformation_does_not_know_is_found(tmp_path):
    misspelled = {"Type": "AWS::SQS::Queue", "Properties": {"RetentionPeriod": 60}}
    (found,) = cfn_lint(assembly(tmp_path, Misspelled=misspelled))
    assert (found.rule, found.resource) == ("E3002", "Misspelled")


@pytest.mark.parametrize("tool", tools.TOOLS.values(), ids=tools.TOOLS)
def test_a_tool_that_cannot_read_a_template_has_not_found_nothing(tmp_path, tool):
    broken = assembly(tmp_path, Open=OPEN_BUCKET)
    broken.templates[0].write_text("{")
    try:
        found = list(tool(broken))
    except (ToolFailedError, ValueError):
        return
    assert found


def test_what_the_code_accepts_is_no_finding():
    accepted, other = (Finding("CKV_AWS_18", resource, "no access log") for resource in ("Open", "Other"))
    left = open_findings(accepting(Open=["CKV_AWS_18"]), {"checkov": [accepted, other]})
    assert left == {"checkov": [other], "acceptances": []}


def test_an_acceptance_that_nothing_needs_is_a_finding():
    (stale,) = open_findings(accepting(Open=["CKV_AWS_18"]), {"checkov": []})["acceptances"]
    assert (stale.rule, stale.resource) == ("CKV_AWS_18", "Open")


def accepting(**accepted) -> Assembly:
    made = Assembly("dev", Path())
    resources = {name: {"Metadata": {"accepted": dict.fromkeys(rules, "why")}} for name, rules in accepted.items()}
    made.__dict__["resources"] = resources
    return made


def test_a_row_names_each_rule_once_with_the_places_that_a_reader_finds_in_the_code(tmp_path):
    made = assembly(tmp_path, Open=OPEN_BUCKET)
    findings = [Finding("CKV_AWS_18", "Open", "no access log")] * 5
    path = "App/Stateful/Open/Resource"
    assert tool_row("checkov", made, findings) == (
        "checkov",
        "dev",
        "5 findings",
        f"CKV_AWS_18 no access log: {path}, {path}, {path} and 2 more",
    )
    assert tool_row("checkov", made, []) == ("checkov", "dev", "ok", "")


REPORT = """<testsuites><testsuite>
<testcase classname="tests.stacks.test_service_callers" name="test_a_caller_is_allowed[prod]"/>
<testcase classname="tests.stacks.test_service_callers" name="test_a_caller_may_use_the_key[prod]">
  <failure message="AssertionError: the trail&#10;more">trace</failure>
</testcase>
<testcase classname="tests.stacks.test_alarms" name="test_an_alarm_notifies"><error message="no template"/></testcase>
</testsuite></testsuites>"""


def test_the_rules_of_a_module_are_a_row_with_what_is_broken(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    rules = read_report(tmp_path / "report.xml")
    assert rules == [
        Rules("alarms", 1, {"an alarm notifies": "no template"}),
        Rules("service callers", 2, {"a caller may use the key[prod]": "AssertionError: the trail"}),
    ]
    assert rule_rows(rules)[1] == (
        "own rules: service callers (2)",
        "all",
        "1 broken",
        "a caller may use the key[prod]: AssertionError: the trail",
    )
