"""Follows "Add a step" of CONTRIBUTING.md on a copy of the sources: it adds the step `screen` to the triage."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stacks.conftest import BARE_ENVIRONMENT, ROOT

PACKAGES = ("cli", "local", "runtime", "stacks", "tests", "training", "triage")
COPIED = (*PACKAGES, "docs", "app.py", "cdk.json", "pyproject.toml")

DOMAIN = '''"""Whether a complaint is new, asked before models are selected."""

from triage.contracts import Contract
from triage.steps import ExecutionInput


class Screened(Contract):
    complaint_id: str


def screened(request: ExecutionInput) -> Screened:
    return Screened(complaint_id=request.complaint_id)
'''

ENVIRONMENT = """class ScreenEnvironment(Environment):
    complaints_allocation_table: str


"""

HANDLER = '''"""Screens a complaint before models are selected."""

import boto3
from aws_lambda_powertools import Logger

from runtime.function import Handler, entry_point, {wrapper}
from triage.functions import SCREEN, ScreenEnvironment
from triage.screening import Screened, screened
from triage.steps import ExecutionInput

logger = Logger(service="screen")


def build(environment: ScreenEnvironment, session: boto3.Session) -> Handler:
    def screen(request: ExecutionInput) -> Screened:
        return screened(request)

    return {wrapper}(SCREEN, screen, logger)


handler = entry_point(ScreenEnvironment, build)
'''

CONSTRUCT = """        self.screen = RuntimeFunction(self, "Screen", function=SCREEN, base=base)
        data.complaints_allocation.allow(self.screen, "Query")
"""

PERMISSIONS = """
ALLOWED["Inference/ScreenRole"] = logs("Inference/Screen") | table(STORY, "Query") | reads(RECORDS_KEY)
ALLOWED["Orchestration/Triage/Role"] |= invokes("Inference/Screen")
"""

TEST = """import boto3

from runtime.screen import build
from triage.functions import ScreenEnvironment


def test_a_screened_complaint_goes_on():
    environment = ScreenEnvironment(code_version="test", complaints_allocation_table="allocations")
    assert build(environment, boto3.Session())({"complaint_id": "7"}, None) == {"complaint_id": "7"}
"""


def guide() -> list[str]:
    """The first path of each numbered line of "Add a step"."""
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("**Add a step.**")[2].partition("\n**Add ")[0]
    paths = re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)
    return [path.replace("<domain>", "screening").replace("<name>", "screen") for path in paths]


def replaced(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, f"{old!r} is not there any more: adapt this test"
        text = text.replace(old, new)
    return text


def edited(path: str, text: str) -> str:
    """The file after the edit that the guide asks for. text: the file before, empty where there is none."""
    match path:
        case "triage/screening.py":
            return DOMAIN
        case "triage/functions.py":
            row = 'SCREEN = Step("screen", ScreenEnvironment, takes=steps.ExecutionInput, gives=Screened)\n'
            imported = "from triage.screening import Screened\n"
            return replaced(
                text,
                ("\n\n\nclass Environment", f"\n{imported}\n\nclass Environment"),
                ("class IntakeEnvironment", f"{ENVIRONMENT}class IntakeEnvironment"),
                ("SELECT_MODELS = Step", f"{row}SELECT_MODELS = Step"),
            )
        case "runtime/screen.py":
            (wrapper,) = re.findall(r"return (\w+)\(SELECT_MODELS", (ROOT / "runtime" / "select_models.py").read_text())
            return HANDLER.format(wrapper=wrapper)
        case "stacks/orchestration.py":
            return replaced(
                text,
                ("import ALLOCATE, MODEL_INFERENCE,", "import ALLOCATE, MODEL_INFERENCE, SCREEN,"),
                ("        self.select_models =", f"{CONSTRUCT}        self.select_models ="),
                ("definition=select.next(", "definition=self._invoke(inference.screen).next(select).next("),
                ("functions=(inference.select_models,", "functions=(inference.screen, inference.select_models,"),
            )
        case "tests/stacks/permissions.py":
            return replaced(text, ("\nFUNCTIONS =", f"{PERMISSIONS}\nFUNCTIONS ="))
        case "tests/stacks/test_orchestration.py":
            return replaced(text, ('"SelectModels", "EachModel"', '"Screen", "SelectModels", "EachModel"'))
        case "tests/runtime/test_screen.py":
            return TEST
    raise LookupError(f"CONTRIBUTING.md names {path}, and this test does not know what to do with it: add its edit")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    # One synthesis says enough.
    conftest = tmp_path / "tests" / "stacks" / "conftest.py"
    conftest.write_text(replaced(conftest.read_text(), ('params=["local", "dev", "prod"]', 'params=["local"]')))
    for path in guide():
        file: Path = tmp_path / path
        file.write_text(edited(path, file.read_text() if file.exists() else ""))
    return tmp_path


def run_tests(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy, without those about the `altered` application."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not hub", *arguments]
    return subprocess.run(command, cwd=copy, env=BARE_ENVIRONMENT, capture_output=True, text=True, timeout=300)


DOMAIN_TESTS = ("tests/triage/test_functions.py", "tests/triage/test_steps.py")
HANDLER_TESTS = ("tests/runtime/test_function.py", "tests/runtime/test_screen.py")
INFRASTRUCTURE_TESTS = [f"tests/stacks/test_{name}.py" for name in ("function", "permissions", "orchestration")]


def test_a_step_needs_the_files_that_the_guide_names_and_at_most_eight(copy):
    assert len(guide()) <= 8
    done = run_tests(copy, *HANDLER_TESTS, *DOMAIN_TESTS, *INFRASTRUCTURE_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_step_without_one_of_these_files_is_found(copy):
    """Shows that the test above can fail."""
    (copy / "runtime" / "screen.py").unlink()
    done = run_tests(copy, HANDLER_TESTS[0])
    assert done.returncode == 1
    assert "No module named 'runtime.screen'" in done.stdout
