import pytest
from pydantic import ValidationError

from tests.factories import any_model_reference
from triage.functions import DELIVER_EXPLANATION, READ_NARRATIVE, STEPS
from triage.steps import (
    AllocationRequest,
    ExecutionInput,
    Failure,
    InferenceRequest,
    ModelReference,
    Outcome,
    Selected,
    path,
)

STATES = [step for step in STEPS if step not in (DELIVER_EXPLANATION, READ_NARRATIVE)]
"""The other two answer people, and their answers hold words of the complaint."""


def test_a_path_follows_the_fields_of_a_contract():
    assert path(InferenceRequest) == "$"
    assert path(Selected, "models") == "$.models"
    assert path(InferenceRequest, "model", "manifest_sha256") == "$.model.manifest_sha256"
    assert path(ModelReference, "task", root="$.model") == "$.model.task"


@pytest.mark.parametrize(
    ("contract", "names"),
    [
        (InferenceRequest, ("narrative",)),
        (InferenceRequest, ("model", "label")),
        (Selected, ("models", "task")),
        (ExecutionInput, ("complaint_id", "text")),
    ],
)
def test_a_path_to_a_missing_field_is_refused(contract, names):
    with pytest.raises(LookupError, match=names[-1]):
        path(contract, *names)


@pytest.mark.parametrize("contract", {c for step in STATES for c in (step.takes, step.gives)}, ids=lambda c: c.__name__)
def test_no_payload_can_carry_a_narrative(contract):
    schema = contract.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    assert not [name for model in models for name in model.get("properties", {}) if "narrative" in name]
    with pytest.raises(ValidationError):
        contract.model_validate({"narrative": "text"})


def test_a_refused_payload_does_not_show_what_it_held():
    with pytest.raises(ValidationError) as refused:
        ExecutionInput.model_validate({"complaint_id": ["MARKER"]})
    assert "MARKER" not in str(refused.value)


def test_a_request_without_outcomes_is_what_a_failed_selection_sends():
    request = AllocationRequest.model_validate(
        {"complaint_id": "1", "started_at": "2026-03-02T09:30:00Z", "outcomes": [], "selection_error": None}
    )
    assert request.outcomes == ()


def test_a_reference_travels_as_json():
    outcome = Outcome(model=any_model_reference(arm="champion", bucket=7, strategy_version=2))
    assert Outcome.model_validate(outcome.model_dump(mode="json")) == outcome


CHAMPION = any_model_reference(model_id="acme/champion")


@pytest.mark.parametrize("stand_in", [any_model_reference(), any_model_reference(model_id="acme/b", stand_in=CHAMPION)])
def test_a_stand_in_is_neither_the_model_itself_nor_one_that_has_a_stand_in(stand_in):
    assert any_model_reference(stand_in=CHAMPION).stand_in == CHAMPION
    with pytest.raises(ValidationError, match="the stand-in must be another model, and must have no stand-in itself"):
        any_model_reference(stand_in=stand_in)


def test_the_failures_of_a_request_are_of_all_who_were_asked_in_vain():
    challenger, issue, gone = (any_model_reference(model_id=f"acme/{name}") for name in ("b", "issue", "gone"))
    relieved = Failure(model=challenger, error="ModelFailedError")
    request = AllocationRequest(
        complaint_id="1",
        started_at="2026-03-02T09:30:00Z",
        outcomes=(
            Outcome(model=CHAMPION, error="States.Timeout", instead_of=relieved),
            Outcome(model=issue),
            Outcome(model=gone, error="ComplaintMissingError"),
        ),
    )
    assert request.failures == (relieved, Failure(model=CHAMPION, error="States.Timeout"))


@pytest.mark.parametrize("revision", ["main", "v1.0", "HEAD", "", "0" * 39, "0" * 41, "G" * 40])
def test_a_model_is_referred_to_by_commit_alone(revision):
    with pytest.raises(ValidationError, match="revision"):
        any_model_reference(revision=revision)
