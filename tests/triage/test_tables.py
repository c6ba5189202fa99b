import pytest

from tests.factories import any_model_reference, any_prediction
from triage import tables
from triage.story import ALLOCATION, PREDICTION, SELECTION, SHADOW, FailureEntry, PredictionEntry
from triage.strategies.registry import ModelInfo
from triage.tables import COMPLAINTS_ALLOCATION, MODEL_INFO, RAW_COMPLAINTS, TABLES, Index, TableSpec


def test_a_key_that_no_item_has_is_refused():
    with pytest.raises(ValueError, match="'task_name'"):
        TableSpec(name="models", items=(ModelInfo,), partition_key="task_name", data_class="records")


@pytest.mark.parametrize("keys", [("stage", "model_id"), ("state", "since")])
def test_a_key_of_an_index_that_no_item_has_is_refused(keys):
    with pytest.raises(ValueError, match="no item of models has a field"):
        TableSpec(
            name="models",
            items=(ModelInfo,),
            partition_key="model_id",
            sort_key="revision",
            data_class="records",
            indexes=(Index("by_state", *keys),),
        )


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_what_an_index_projects_is_stored(spec):
    for index in spec.indexes:
        for attribute in index.attributes:
            assert any(attribute in item.model_fields for item in spec.items)


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_every_item_has_the_keys_of_its_table(spec):
    for item in spec.items:
        assert {spec.partition_key, *filter(None, [spec.sort_key])} <= set(item.model_fields)


def test_the_narrative_lives_in_one_table_and_in_none_of_its_indexes():
    holders = [spec for spec in TABLES if any("narrative" in item.model_fields for item in spec.items)]
    assert holders == [RAW_COMPLAINTS]
    assert RAW_COMPLAINTS.data_class == "narratives"
    for index in RAW_COMPLAINTS.indexes:
        assert index.projection == "INCLUDE"
        assert "narrative" not in index.attributes


@pytest.mark.parametrize("spec", [spec for spec in TABLES if spec.expires], ids=lambda spec: spec.name)
def test_what_expires_says_when(spec):
    assert all("expires_at" in item.model_fields for item in spec.items)


def test_the_entries_of_a_story_do_not_collide():
    predictions = {PredictionEntry.key(any_model_reference(task=task)) for task in ("product", "issue")}
    keys = {SELECTION, ALLOCATION, *predictions}
    assert len(keys) == 4
    shadow = any_model_reference(task="product", shadow=True)
    beside = {PredictionEntry.key(shadow), FailureEntry.key(shadow), FailureEntry.key(any_model_reference())}
    assert len(keys | beside) == 7
    assert not any(key.startswith(SHADOW) for key in keys)
    assert [key for key in sorted(beside) if key.startswith(SHADOW)] == [PredictionEntry.key(shadow)]
    assert all(key.startswith(PREDICTION) for key in predictions)
    assert not any(key.startswith(PREDICTION) for key in (SELECTION, ALLOCATION))


def test_each_version_of_a_model_has_its_own_prediction():
    one, other = (any_prediction(model=any_model_reference(revision=letter * 40)) for letter in "ab")
    assert one.entry != other.entry


def test_an_index_is_found_by_its_name():
    assert MODEL_INFO.index("by_state").partition_key == "state"
    assert {"by_team", "by_model", "by_failed_version"} <= {index.name for index in COMPLAINTS_ALLOCATION.indexes}


def test_a_failure_of_a_shadow_that_was_recorded_before_there_was_an_index_is_read():
    shadow = any_model_reference(shadow=True)
    once = {
        "complaint_id": "1",
        "entry": FailureEntry.key(shadow),
        "code_version": "0.2.0",
        "model": shadow.model_dump(exclude={"stand_in"}),
        "error": "Sandbox.Timedout",
        "failed_at": "2026-03-02T09:31:00.000Z",
    }
    assert FailureEntry.model_validate(once).failed_version == shadow.version


def test_every_specification_of_the_module_is_a_table():
    assert {spec for spec in vars(tables).values() if isinstance(spec, TableSpec)} == set(TABLES)
