from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from triage.contracts import Contract, ModelId, TaskName


class Closed(Contract):
    name: str = ""
    number: int = 0


def accepts(kind: Any, value: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def test_a_contract_is_closed_and_frozen():
    with pytest.raises(ValidationError, match="surprise"):
        Closed.model_validate({"surprise": 1})
    with pytest.raises(ValidationError, match="frozen"):
        Closed().name = "new"  # type: ignore[misc]


def test_an_error_hides_what_it_was_given():
    with pytest.raises(ValidationError) as refused:
        Closed.model_validate({"number": "MARKER"})
    assert "MARKER" not in str(refused.value)
    assert "MARKER" not in repr(refused.value)


@pytest.mark.parametrize("model_id", ["acme/model", "a/b", "acme/model-v1.2_x", "acme/" + "m" * 96])
def test_a_repository_is_an_organisation_and_a_name(model_id):
    assert accepts(ModelId, model_id)


@pytest.mark.parametrize(
    "model_id",
    ["model", "a/b/c", "/model", "acme/", "../model", "acme/..", "acme/.x", "a b/c", "a/b\n", "acme/" + "m" * 97],
)
def test_whatever_could_leave_the_bucket_prefix_is_no_repository(model_id):
    assert not accepts(ModelId, model_id)


@pytest.mark.parametrize("task", ["product", "issue", "vulnerable", "urgency-2"])
def test_a_task_is_a_short_lower_case_name(task):
    assert accepts(TaskName, task)


@pytest.mark.parametrize("task", ["", "Product", "2fast", "a#b", "a b", "a" * 49, "product\n"])
def test_a_task_cannot_hold_the_separators_of_a_key(task):
    assert not accepts(TaskName, task)
