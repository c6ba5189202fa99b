from pathlib import Path

import pytest

from training.data.prepare import LABELS
from triage.tasks import ISSUE, PRODUCT, TASKS, VULNERABLE

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


@pytest.mark.parametrize(("found", "label"), [(True, "vulnerable"), (False, "not vulnerable"), (None, None)])
def test_the_two_labels_of_a_task_say_whether_it_found_what_it_looks_for(found, label):
    assert VULNERABLE.label(found) == label
    assert VULNERABLE.found(str(label)) is found


def test_a_task_of_many_labels_finds_nothing():
    assert PRODUCT.found("Mortgage") is None


def test_every_complaint_has_a_product_an_issue_and_an_answer_on_vulnerability():
    assert all(task.required for task in (PRODUCT, ISSUE, VULNERABLE))
    assert (PRODUCT.asks, ISSUE.asks, VULNERABLE.asks) == ("triage", "team", "specialist")


def test_training_can_read_a_label_for_every_task():
    assert TASKS.keys() <= LABELS.keys()


def test_the_architecture_describes_every_task():
    table = ARCHITECTURE.read_text().partition("| task | labels | its reasons ask |\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]
    assert {task.strip("`"): asks for task, _, asks in rows} == {t.name: t.asks for t in TASKS.values()}
