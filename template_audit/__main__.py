"""`make audit`: every check of the templates that needs neither network nor credentials, in one table.

`--tools` leaves out the project's own rules, which the tests run as well.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from template_audit.assembly import Assembly
from template_audit.rules import Rules, check_rules
from template_audit.tools import TOOLS, Finding, open_findings

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ("dev", "prod")
"""The environments on AWS. `local` breaks what the embedded AWS cannot do."""

SYNTHESIZED = ROOT / "build" / "audit"
SHOWN = 3
"""How many resources the table names for each rule."""

Row = tuple[str, str, str, str]
"""Check, environment, result, and the findings."""


def main() -> None:
    with ThreadPoolExecutor() as beside:
        own = beside.submit(check_rules) if "--tools" not in sys.argv else None
        print("Synthesizing and checking the templates of", *ENVIRONMENTS, file=sys.stderr, flush=True)
        rows = [row for found in beside.map(check_environment, ENVIRONMENTS) for row in found]
        if own is not None:
            rows += rule_rows(own.result())
    show(rows)
    sys.exit(any(result != "ok" for _, _, result, _ in rows))


def check_environment(environment: str) -> list[Row]:
    """Synthesize an environment, which runs cdk-nag, and run each tool on its templates."""
    assembly = Assembly(environment, SYNTHESIZED / environment)
    refused = synthesize(assembly)
    if refused:
        return [("cdk synth, cdk-nag", environment, "failed", refused)]
    found = {name: list(tool(assembly)) for name, tool in TOOLS.items()}
    return [
        ("cdk synth, cdk-nag", environment, "ok", ""),
        *(tool_row(name, assembly, findings) for name, findings in open_findings(assembly, found).items()),
    ]


def synthesize(assembly: Assembly) -> str:
    """Write the templates as `cdk synth` does. Return why it was refused, or nothing."""
    command = ["node", "node_modules/aws-cdk/bin/cdk", "synth", "--quiet", "--output", str(assembly.folder)]
    command += ["--context", f"environment={assembly.environment}"]
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def tool_row(name: str, assembly: Assembly, findings: list[Finding]) -> Row:
    places: dict[str, list[str]] = {}
    for finding in findings:
        places.setdefault(f"{finding.rule} {finding.message}", []).append(assembly.path(finding.resource))
    told = [f"{rule}: {', '.join(paths[:SHOWN])}{more(len(paths) - SHOWN)}" for rule, paths in places.items()]
    return (name, assembly.environment, f"{len(findings)} findings" if findings else "ok", "\n".join(told))


def more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def rule_rows(rules: Iterable[Rules]) -> list[Row]:
    return [
        (
            f"own rules: {each.about} ({each.count})",
            "all",
            f"{len(each.broken)} broken" if each.broken else "ok",
            "\n".join(f"{rule}: {reason}" for rule, reason in each.broken.items()),
        )
        for each in rules
    ]


def show(rows: Iterable[Row]) -> None:
    table = Table("check", "environment", "result", "findings", title="Audit of the templates", title_justify="left")
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    # A pipe has no width. The 80 columns that rich assumes would break the lines of findings.
    (console if console.is_terminal else Console(markup=False, highlight=False, width=200)).print(table)


if __name__ == "__main__":
    main()
