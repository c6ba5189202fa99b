"""Follows the guide "Add a task" on a copy of the sources: it must name every needed file, and no other."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("triage", "training", "runtime", "stacks", "tests", "docs", "pyproject.toml", "CONTRIBUTING.md")

TASK = """
URGENCY: Final = Task(name="urgency", asks="triage", positive="urgent", negative="not urgent")

TASKS: Final[Mapping[TaskName, Task]] = {task.name: task for task in (PRODUCT, ISSUE, VULNERABLE, URGENCY)}
"""
TEST = """

@pytest.mark.parametrize(("label", "route"), [("urgent", "review"), ("not urgent", "auto")])
def test_an_urgent_complaint_is_reviewed(label, route):
    urgency = any_prediction(task="urgency", label=label, positive_label="urgent")
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, urgency)
    assert allocation.route == route
    assert texts(allocation) == ["urgency: model"] * (label == "urgent")
    assert decide(PRODUCT, ISSUE, NOT_VULNERABLE).route == "auto", "it may be deployed before its model is registered"


def test_a_confirmation_of_the_urgency_clears_its_reason_and_no_other_does():
    urgent = decide(PRODUCT, ISSUE, NOT_VULNERABLE, any_prediction(task="urgency", label="urgent", confidence=0.1))
    assert texts(urgent) == ["urgency: confidence below threshold", "urgency: model"]
    for tasks, route in {None: "review", ("urgency",): "auto"}.items():
        said = any_feedback(tasks=tasks)
        assert reallocate(urgent, said, taxonomy=TAXONOMY, clocks=CLOCKS, now=NOW, code_version="test").route == route
"""


def task_in_the_table(text: str) -> str:
    """Replace the last line of the module, which builds the table."""
    head, _, last = text.rstrip().rpartition("\n")
    assert last.startswith("TASKS: Final")
    return head + TASK


def label_of_a_complaint(text: str) -> str:
    reader = '    "urgency": lambda complaint: URGENCY.label(complaint.issue == "Trouble during payment process"),\n'
    head, line, tail = text.partition("LABELS: Mapping[TaskName, Callable[[Labelled], str | None]] = {\n")
    return (head + line + reader + tail).replace("import VULNERABLE\n", "import URGENCY, VULNERABLE\n")


def recipe(text: str) -> str:
    """Return the smallest recipe, for the new task."""
    settings = (ROOT / "training" / "configs" / "tiny.toml").read_text().partition("[tasks.product]")[0]
    return (
        settings
        + '[tasks.urgency]\nbalance = 0.3\ntarget_accuracy = 0.9\npositive_label = "urgent"\ntarget_recall = 0.6\n'
    )


def with_tests(text: str) -> str:
    imports = "from tests.factories import any_feedback\nfrom triage.reallocation import reallocate\n"
    return imports + text + TEST


def row_of_the_table(text: str) -> str:
    row = "| `vulnerable` | `vulnerable` and `not vulnerable` | specialist |\n"
    assert row in text
    return text.replace(row, row + "| `urgency` | `urgent` and `not urgent` | triage |\n")


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "triage/tasks.py": (
        task_in_the_table,
        "tests/triage/test_allocation.py::test_a_confirmation_of_the_urgency_clears_its_reason_and_no_other_does",
    ),
    "training/data/prepare.py": (
        label_of_a_complaint,
        "tests/triage/test_tasks.py::test_training_can_read_a_label_for_every_task",
    ),
    "training/configs/urgency.toml": (
        recipe,
        "tests/training/test_recipe.py::test_every_recipe_parses_and_learns_what_has_known_labels[urgency]",
    ),
    "tests/triage/test_allocation.py": (
        with_tests,
        "tests/triage/test_allocation.py::test_an_urgent_complaint_is_reviewed",
    ),
    "docs/architecture.md": (
        row_of_the_table,
        "tests/triage/test_tasks.py::test_the_architecture_describes_every_task",
    ),
}
"""What the guide asks for in each file, and a test that passes only with it."""

PROOF = (
    *(test for _, test in EDITS.values()),
    "tests/training/test_recipe.py::test_every_recipe_looks_for_the_positive_label_of_its_task[urgency]",
    "tests/training/data/test_prepare.py::test_every_task_reads_its_label_off_generated_complaints[urgency]",
)

BESIDE = ("allocation", "feedback", "reallocation", "reason", "tasks")
"""Modules in `tests/triage` that a further task could break."""


def named_files() -> list[str]:
    """Return the paths at the beginning of the steps of the guide."""
    guide = (ROOT / "CONTRIBUTING.md").read_text().partition("**Add a task.**")[2].partition("\n**")[0]
    return re.findall(r"^\d\. `([^`]+)`", guide, re.MULTILINE)


def copied(folder: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def edit(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.write_text(EDITS[name][0](file.read_text() if file.exists() else ""))


def outcome_of(folder: Path, *nodes: str) -> tuple[bool, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *nodes]
    # The compiled sources of one edit must not be taken for those of another.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    return run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]


def test_the_guide_names_the_files_that_a_further_task_takes():
    named = named_files()
    assert len(named) <= 6
    assert len(named) == len(EDITS)
    assert all(any(fnmatch(file, pattern) for pattern in named) for file in EDITS)


def test_a_task_added_by_the_guide_changes_the_route_and_can_be_trained(tmp_path):
    folder = copied(tmp_path)
    edit(folder, *EDITS)
    passed, output = outcome_of(folder, *PROOF, *(f"tests/triage/test_{name}.py" for name in BESIDE))
    assert passed, output


@pytest.mark.parametrize("left_out", EDITS)
def test_no_file_of_the_guide_is_superfluous(tmp_path, left_out):
    folder = copied(tmp_path)
    edit(folder, *(EDITS.keys() - {left_out}))
    passed, output = outcome_of(folder, EDITS[left_out][1])
    assert not passed, output
