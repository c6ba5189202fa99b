import json

import pytest

from tests.cli.commands import ENV, registered
from tests.factories import any_revision


def test_models_are_listed_by_task(triage, deployment):
    registered(deployment, task="product", revision=any_revision("b"))
    registered(deployment, task="issue", revision=any_revision("a"))
    listed = triage("models", "list", "--json", *ENV).json
    assert [model["task"] for model in listed] == ["issue", "product"]
    assert listed[0]["bundle"]["engine"] == "onnx"


def test_a_broken_row_does_not_hide_the_others(triage, deployment):
    registered(deployment)
    deployment.registry._models.put({"model_id": "acme/broken", "revision": "main", "state": "champion"})
    assert [model["model_id"] for model in triage("models", "list", "--json", *ENV).json] == ["acme/model"]


def test_models_are_listed_to_people(triage, deployment):
    model = registered(deployment)
    result = triage("models", "list", *ENV)
    assert result.code == 0
    assert model.model_id in result.out and model.revision[:12] in result.out


def test_register_ends_when_the_model_is_mirrored(triage, deployment):
    model = registered(deployment)
    arguments = (model.model_id, "--revision", model.revision, "--task", "product")
    assert triage("models", "register", *arguments, "--json", *ENV).json == json.loads(model.model_dump_json())


def test_register_fails_if_the_files_are_refused(triage, deployment):
    model = registered(deployment, bundle=None, failure="BundleUnsafeError: pickles", state="registered")
    arguments = (model.model_id, "--revision", model.revision, "--task", "issue")
    result = triage("models", "register", *arguments, *ENV)
    assert (result.code, result.out) == (1, "")
    assert "is registered for product" in result.err


def test_a_branch_is_no_revision(triage, deployment):
    result = triage("models", "register", "acme/model", "--revision", "main", "--task", "product", *ENV)
    assert result.code == 1
    assert "revision" in result.err


def test_a_mirrored_model_can_be_activated_and_retired(triage, deployment):
    model = registered(deployment, state="registered", activated_at=None)
    named = (model.model_id, "--revision", model.revision, "--json", *ENV)
    activated = triage("models", "activate", *named).json
    assert activated["state"] == "champion" and activated["activated_at"]
    assert triage("models", "retire", *named).json["state"] == "retired"


def test_a_model_that_is_not_mirrored_cannot_be_activated(triage, deployment):
    model = registered(deployment, state="registered", bundle=None, failure="BundleCorruptError: model.onnx")
    result = triage("models", "activate", model.model_id, "--revision", model.revision, *ENV)
    assert result.code == 1
    assert "BundleCorruptError: model.onnx" in result.err


@pytest.mark.parametrize("verb", ["activate", "retire"])
def test_a_model_that_nobody_registered_is_not_found(triage, deployment, verb):
    result = triage("models", verb, "acme/none", "--revision", any_revision(), *ENV)
    assert "acme/none" in result.err
    assert result.code == 3
