"""Measure which lines and branches of our packages the tests run.

`measure.py run [ARGUMENTS OF PYTEST]` measures a part of the tests, in every process that they start, and keeps it in
build/coverage. `measure.py report [--since BRANCH]` combines all parts below that folder, prints a table by package and
fails where a package, or the lines changed since a branch, miss what is required.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage import Coverage

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "coverage"
CONFIGURATION = ROOT / "pyproject.toml"
REQUIRED = 90.0
REQUIRED_OF = {"triage": 95.0}
REQUIRED_OF_CHANGES = 95.0
CHANGES = "changed lines"


@dataclass(frozen=True)
class Row:
    """What was run of a package. Lines and branches count alike.

    counted: how many lines and branches there are.
    required: percent, or None where nothing is required.
    missed: the files and lines that no test runs, where they are few enough to be told.
    """

    name: str
    covered: int
    counted: int
    required: float | None
    missed: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.counted if self.counted else 100.0

    @property
    def too_low(self) -> bool:
        return self.required is not None and self.percent < self.required


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        return run(arguments[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--since", metavar="BRANCH", help="by default origin/main, or main where there is no remote")
    options = parser.parse_args(arguments)
    return report(since=options.since or default_branch())


def run(arguments: list[str]) -> int:
    """Run pytest and return its exit code. What was measured is added to the files in build/coverage."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={CONFIGURATION}", "--module", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def report(*, since: str | None) -> int:
    parts = [str(path) for path in FOLDER.rglob("data*") if path.is_file()]
    if not parts:
        print(f"nothing was measured below {FOLDER}: run the tests by `make coverage`", file=sys.stderr)
        return 1
    measured = Coverage(data_file=str(FOLDER / "combined"), config_file=str(CONFIGURATION))
    measured.combine(parts, strict=True, keep=True)
    packages: list[str] = sorted(measured.config.source_pkgs)
    for package in packages:
        for module in (ROOT / package).rglob("*.py"):
            # A module that no test imports counts, too.
            measured.get_data().touch_file(str(module))
    ours = [f"{ROOT / package}/*" for package in packages]
    measured.json_report(outfile=str(FOLDER / "coverage.json"), include=ours)
    measured.xml_report(outfile=str(FOLDER / "coverage.xml"), include=ours)
    rows = list(by_package(json.loads((FOLDER / "coverage.json").read_text())["files"]))
    if since is not None:
        rows.append(changed(since))
    print(table(rows))
    low = [row for row in rows if row.too_low]
    for row in low:
        print(f"{row.name}: {row.percent:.1f} % is run by tests, {row.required:g} % is required", file=sys.stderr)
        for place in row.missed:
            print(f"  {place}", file=sys.stderr)
    return 1 if low else 0


def by_package(files: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """Yield a row for each package of coverage's JSON report."""
    for package in sorted({Path(file).parts[0] for file in files}):
        summaries = [each["summary"] for file, each in files.items() if Path(file).parts[0] == package]
        yield Row(
            package,
            covered=sum(each["covered_lines"] + each["covered_branches"] for each in summaries),
            counted=sum(each["num_statements"] + each["num_branches"] for each in summaries),
            required=REQUIRED_OF.get(package, REQUIRED),
        )


def changed(since: str) -> Row:
    """Return what was run of the lines that this branch has changed."""
    answer = FOLDER / "changed.json"
    command = [str(Path(sys.executable).parent / "diff-cover"), str(FOLDER / "coverage.xml"), "--quiet"]
    command += [f"--compare-branch={since}", "--format", f"json:{answer}"]
    subprocess.run(command, cwd=ROOT, check=True)
    found = json.loads(answer.read_text())
    lines, missed = found["total_num_lines"], found["total_num_violations"]
    places = tuple(
        f"{file}: {', '.join(map(str, each['violation_lines']))}"
        for file, each in found["src_stats"].items()
        if each["violation_lines"]
    )
    return Row(CHANGES, covered=lines - missed, counted=lines, required=REQUIRED_OF_CHANGES, missed=places)


def default_branch() -> str | None:
    """Return the branch that changes are compared with, or None where there is neither a remote nor a main branch."""
    for branch in ("origin/main", "main"):
        command = ["git", "rev-parse", "--verify", "--quiet", branch]
        if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0:
            return branch
    return None


def table(rows: Iterable[Row]) -> str:
    """Return the rows and, as the last line, the figure of all packages together."""
    rows = list(rows)
    packages = [row for row in rows if row.name != CHANGES]
    total = Row("total", sum(row.covered for row in packages), sum(row.counted for row in packages), None)
    lines = [f"{'package':<14}{'run':>8}{'of':>8}{'percent':>10}{'required':>10}"]
    lines += [f"{r.name:<14}{r.covered:>8}{r.counted:>8}{r.percent:>10.1f}{r.required or 0:>10g}" for r in rows]
    return "\n".join([*lines, f"total {total.percent:.1f} %"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
