"""cfn-lint, checkov and cfn-guard with the rules of AWS Control Tower, on the templates of one environment.

Each of them runs without network and credentials. A finding is accepted where its resource's metadata says why; an
acceptance that no tool asks for is a finding itself.
"""

import json
import platform
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from template_audit.assembly import Assembly

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
GUARD = ROOT / "build" / "cfn-guard"
IGNORED = {"W3005": "CDK makes each resource depend on the policies of its role, beside the role that it refers to"}
"""What cfn-lint does not look for anywhere, with the reason."""


@dataclass(frozen=True)
class Finding:
    """rule: of the tool, such as `CKV_AWS_116`. resource: a logical id."""

    rule: str
    resource: str
    message: str


class ToolFailedError(RuntimeError):
    """A tool ended without a result."""


def cfn_lint(assembly: Assembly) -> Iterator[Finding]:
    """Yield what does not fit CloudFormation's schemas of the region, errors and warnings alike."""
    options = ["--regions", assembly.region, "--ignore-checks", *IGNORED, "--format", "json", "--"]
    output = _run([PROGRAMS / "cfn-lint", *options, *assembly.templates], accepted=range(16))
    for match in json.loads(output):
        path = match["Location"].get("Path") or []
        yield Finding(match["Rule"]["Id"], str(path[1]) if len(path) > 1 else "", match["Message"])


def checkov(assembly: Assembly) -> Iterator[Finding]:
    """Yield the failed checks of checkov. Raises: ToolFailedError where it checked nothing."""
    named = [part for template in assembly.templates for part in ("--file", template)]
    options = ["--skip-download", "--compact", "--framework", "cloudformation", "--output", "json"]
    output = json.loads(_run([CHECKOV, *options, *named], accepted=(0, 1)))
    # Where checkov reads nothing, it prints the summary alone.
    summary = output.get("summary", output)
    if not summary["passed"] or summary["parsing_errors"]:
        raise ToolFailedError(f"checkov could not read the templates: {summary}")
    for failed in output["results"]["failed_checks"]:
        yield Finding(failed["check_id"], failed["resource"].rpartition(".")[2], failed["check_name"])


def cfn_guard(assembly: Assembly) -> Iterator[Finding]:
    """Yield the rules of AWS Control Tower that the templates break, such as `CT.S3.PR.2`."""
    program, rules = _guard()
    options: list[str | Path] = ["--rules", rules, "--output-format", "json", "--show-summary", "none", "--structured"]
    for template in assembly.templates:
        (report,) = json.loads(_run([program, "validate", *options, "--data", template], accepted=(0, 19)))
        if not report["compliant"]:
            raise ToolFailedError(f"cfn-guard kept no rule for {template.name}")
        for broken in report["not_compliant"]:
            rule, message = _control(broken)
            for resource in sorted(set(_resources(broken))):
                yield Finding(rule, resource, message)


TOOLS: Mapping[str, Callable[[Assembly], Iterator[Finding]]] = {
    "cfn-lint": cfn_lint,
    "checkov": checkov,
    "cfn-guard, Control Tower": cfn_guard,
}


def open_findings(assembly: Assembly, found: Mapping[str, list[Finding]]) -> dict[str, list[Finding]]:
    """Return what is not accepted, by tool, and under `acceptances` what is accepted although no tool finds it."""
    asked_for = {(finding.resource, finding.rule) for findings in found.values() for finding in findings}
    return {
        **{
            tool: [finding for finding in findings if (finding.resource, finding.rule) not in assembly.accepted]
            for tool, findings in found.items()
        },
        "acceptances": [
            Finding(rule, resource, "No tool finds this any more: remove the acceptance")
            for resource, rule in sorted(assembly.accepted - asked_for)
        ],
    }


def _run(command: list[str | Path], *, accepted: range | tuple[int, ...]) -> str:
    """Return what a tool prints. Raises: ToolFailedError, unless it ends with one of the accepted codes."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in accepted or not done.stdout:
        raise ToolFailedError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def _guard() -> tuple[Path, Path]:
    """Return cfn-guard and its rules. They come inside the CDK plugin's package, and are unpacked once."""
    system = {"Linux": "ubuntu", "Darwin": "macos"}[platform.system()]
    machine = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}[platform.machine()]
    found = find_spec("cdklabs.cdk_validator_cfnguard")
    if found is None or found.origin is None:
        raise ToolFailedError("cfn-guard is not installed: run `make audit`, which installs it")
    # Importing the package would start Node.
    (archive,) = (Path(found.origin).parent / "_jsii").glob("*.tgz")
    folder = GUARD / archive.stem
    program = folder / "package" / "bin" / system / machine / "cfn-guard"
    if not program.exists():
        _unpack(archive, folder, program.relative_to(folder))
    return program, folder / "package" / "rules"


def _unpack(archive: Path, folder: Path, program: Path) -> None:
    """Unpack an archive so that nobody ever sees the folder without a program that runs.

    Several threads come here at once, one for each environment.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as scratch:
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(archive) as packed:
            packed.extractall(unpacked, filter="data")
        (unpacked / program).chmod(0o755)
        try:
            unpacked.rename(folder)
        except OSError:
            if not (folder / program).exists():
                raise


def _control(broken: Any) -> tuple[str, str]:
    """Return the name of the broken control, and how to mend it."""
    for message in _values(broken, "custom_message"):
        found = re.search(r"\[(CT\.[\w.]+)\]: *(.*?)\s*(?:\[FIX\]|$)", re.sub(r"\s+", " ", message))
        if found:
            return found[1], found[2]
    return str(broken["Rule"]["name"]), "This rule of cfn-guard has no message"


def _resources(broken: Any) -> Iterator[str]:
    for path in _values(broken, "path"):
        parts = path.split("/")
        if parts[1:2] == ["Resources"] and len(parts) > 2:
            yield parts[2]


def _values(node: Any, key: str) -> Iterator[str]:
    """Yield every text under this key, at any depth."""
    if isinstance(node, dict):
        if isinstance(node.get(key), str):
            yield node[key]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _values(each, key)
