"""The project's own rules for its templates: the tests of `tests/stacks`, whose names are the rules."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
TESTS = "tests/stacks"


@dataclass(frozen=True)
class Rules:
    """about: their subject, such as `alarms`. broken: each broken rule, with the first line of its reason."""

    about: str
    count: int
    broken: dict[str, str]


def check_rules() -> list[Rules]:
    """Run the tests, which synthesize for themselves. Raises: RuntimeError where pytest ran none."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", TESTS, "-p", "no:cacheprovider", f"--junitxml={report}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return read_report(report)


def read_report(report: Path) -> list[Rules]:
    """Return what pytest reported in JUnit's format, by test module."""
    counts: Counter[str] = Counter()
    broken: dict[str, dict[str, str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        about = case.attrib["classname"].rpartition(".test_")[2].replace("_", " ")
        counts[about] += 1
        for failure in (*case.iter("failure"), *case.iter("error")):
            rule = case.attrib["name"].removeprefix("test_").replace("_", " ")
            broken.setdefault(about, {})[rule] = failure.attrib.get("message", "").partition("\n")[0]
    return [Rules(about, count, broken.get(about, {})) for about, count in sorted(counts.items())]
