"""Tests of `triage.validation`: messages state place and rule, never the value or a library's wording."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from triage.contracts import ModelId, Revision, Sha256, TaskName
from triage.validation import problems, problems_by_place

SECRET = "my account was emptied"


class Inner(BaseModel):
    share: int = Field(ge=0, le=10)


class Document(BaseModel, extra="forbid"):
    kind: Literal["one", "two"]
    inner: tuple[Inner, ...] = ()
    revision: Revision | None = None

    @model_validator(mode="after")
    def _two_needs_inner(self):
        if self.kind == "two" and not self.inner:
            raise ValueError("`inner` is required where kind is two")
        return self


def refusal(model, value):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(value)
    return caught.value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "kind: is missing"),
        ({"kind": SECRET}, "kind: must be one of 'one' or 'two'"),
        ({"kind": "one", "other": SECRET}, "other: is not a known field"),
        ({"kind": "one", "revision": "main"}, "revision: must be a commit sha: 40 characters of 0-9 and a-f"),
        ({"kind": "one", "inner": [{"share": 11}]}, "inner.0.share: must be at most 10"),
        ({"kind": "one", "inner": [{"share": SECRET}]}, "inner.0.share: must be a whole number"),
        ({"kind": "two"}, "document: `inner` is required where kind is two"),
        (SECRET, "document: must be an object with named fields"),
    ],
)
def test_a_message_states_the_place_and_the_rule(value, expected):
    assert problems(refusal(Document, value)) == expected


def test_every_problem_is_named():
    error = refusal(Document, {"kind": "three", "inner": [{"share": -1}]})
    assert [place for place, _ in problems_by_place(error)] == ["kind", "inner.0.share"]


@pytest.mark.parametrize("model", [Revision, Sha256, ModelId, TaskName])
def test_a_pattern_is_told_in_words(model):
    message = problems(refusal(model, SECRET), "field")
    assert message.startswith("field: must be ") and not set("^$[]\\") & set(message)


def test_a_problem_without_a_rule_of_ours_is_not_quoted():
    assert problems(refusal(Annotated[complex, Field()], SECRET), "field") == "field: is not valid"
