import pytest

from triage.tasks import ISSUE, PRODUCT, TASKS, VULNERABLE


@pytest.mark.parametrize(("found", "label"), [(True, "vulnerable"), (False, "not vulnerable"), (None, None)])
def test_the_two_labels_of_a_task_say_whether_it_found_what_it_looks_for(found, label):
    assert VULNERABLE.label(found) == label
    assert VULNERABLE.found(str(label)) is found


def test_a_task_of_many_labels_finds_nothing():
    assert PRODUCT.found("Mortgage") is None


def test_only_vulnerability_leads_to_specialists():
    assert {task.leads_to for task in (PRODUCT, ISSUE)} == {"person"}
    assert [task.name for task in TASKS.values() if task.leads_to == "specialist"] == ["vulnerable"]
