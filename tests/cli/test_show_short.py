"""`triage show` on small stories."""

import pytest

from tests.cli.commands import ENV
from tests.factories import any_allocation, any_item, any_model_reference, any_prediction, any_selection
from triage.story import FailureEntry


def test_a_story_is_told_without_its_narrative(triage, deployment):
    model = any_model_reference()
    deployment.complaints.put(any_item(received_at="2026-03-02", customer_id="ann"))
    for entry in (any_selection(models=(model,)), any_prediction(model=model), any_allocation()):
        deployment.story.put(entry)
    result = triage("show", "8123456", "--json", *ENV)
    story = result.json
    assert story["received_at"] == "2026-03-02"
    assert story["selection"]["models"][0]["model_id"] == model.model_id
    assert [prediction["label"] for prediction in story["predictions"]] == ["Mortgage"]
    assert story["allocation"]["product_team"] == "mortgage"
    assert any_item()["narrative"] not in result.out
    assert "narrative" not in story


def test_shadow_models_are_marked(triage, deployment):
    said, silent = (any_model_reference(model_id=f"acme/{arm}", arm=arm, bucket=7, shadow=True) for arm in ("b", "c"))
    failure = FailureEntry(
        complaint_id="8123456",
        entry=FailureEntry.key(silent),
        code_version="test",
        model=silent,
        failed_version=silent.version,
        error="Sandbox.Timedout",
        failed_at="2026-03-02T09:31:00.000Z",
    )
    answering = any_model_reference()
    predictions = (any_prediction(model=answering), any_prediction(model=said))
    for entry in (any_selection(models=(answering,), shadows=(said, silent)), *predictions, failure):
        deployment.story.put(entry)
    story = triage("show", "8123456", "--json", *ENV).json
    assert sorted(prediction["model"]["shadow"] for prediction in story["predictions"]) == [False, True]
    assert [failed["error"] for failed in story["failed"]] == ["Sandbox.Timedout"]
    told = triage("show", "8123456", *ENV).out
    assert "b (shadow)" in told and "c (shadow)" in told and "Sandbox.Timedout" in told


def test_failed_models_are_shown_shadows_too(triage, deployment):
    models = (
        any_model_reference(model_id="acme/b", arm="b", stand_in=any_model_reference()),
        any_model_reference(model_id="acme/c", arm="c", shadow=True),
    )
    for model, error in zip(models, ("ModelFailedError", "Sandbox.Timedout"), strict=True):
        deployment.story.put(
            FailureEntry(
                complaint_id="8123456",
                entry=FailureEntry.key(model),
                code_version="test",
                model=model,
                failed_version=model.version,
                error=error,
                failed_at="2026-03-02T09:31:00.000Z",
            )
        )
    story = triage("show", "8123456", "--json", *ENV).json
    assert {(f["failed_version"], f["error"]) for f in story["failed"]} == {
        (models[0].version, "ModelFailedError"),
        (models[1].version, "Sandbox.Timedout"),
    }
    told = triage("show", "8123456", *ENV).out
    assert told.count("model failed") == 2
    assert all(said in told for said in ("ModelFailedError", "Sandbox.Timedout", "c (shadow)"))


def test_a_complaint_that_is_not_triaged_yet_has_an_empty_story(triage, deployment):
    deployment.complaints.put(any_item())
    story = triage("show", "8123456", "--json", *ENV).json
    assert (story["selection"], story["predictions"], story["allocation"]) == (None, [], None)
    assert "not started" in triage("show", "8123456", *ENV).out


def test_a_story_outlives_its_complaint(triage, deployment):
    deployment.story.put(any_allocation())
    story = triage("show", "8123456", "--json", *ENV).json
    assert (story["triage_state"], story["allocation"]["route"]) == (None, "auto")
    assert "mortgage" in triage("show", "8123456", *ENV).out


def test_show_does_not_find_an_unknown_complaint(triage, deployment):
    result = triage("show", "none", *ENV)
    assert result.code == 3
    assert "nothing is stored about complaint 'none' in dev" in result.err


@pytest.mark.parametrize("complaint_id", ["[a]8123456", "[/a]"])
def test_an_id_in_brackets_is_shown_as_it_is(triage, deployment, complaint_id):
    deployment.complaints.put(any_item(complaint_id=complaint_id))
    assert complaint_id in triage("show", complaint_id, *ENV).out
