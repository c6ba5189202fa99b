import json

import pytest

from runtime.adapters.registry import Registry
from runtime.select_models import build
from tests.factories import (
    any_arm,
    any_item,
    any_model_info,
    any_model_strategy,
    any_revision,
    any_strategy,
    put_in_force,
)
from tests.runtime.conftest import Cloud, before, calls
from triage.errors import ComplaintMissingError
from triage.letter import LETTER_VERSION
from triage.steps import Selected
from triage.story import SELECTION, SelectionEntry, sha256_of_text
from triage.tables import CHAMPION_LEDGER, COMPLAINTS_ALLOCATION, MODEL_INFO, MODEL_STRATEGY, RAW_COMPLAINTS

EVENT = {"complaint_id": "1"}


def select(cloud: Cloud) -> Selected:
    return Selected.model_validate(build(cloud.select_models, cloud.session())(EVENT, None))


def recorded(cloud: Cloud) -> SelectionEntry:
    return SelectionEntry.model_validate(cloud.table(COMPLAINTS_ALLOCATION).get("1", SELECTION))


@pytest.fixture
def complaint(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", customer_id="c-1", tags={"Older American"}))


@pytest.mark.usefixtures("complaint")
def test_the_active_models_are_selected_and_recorded(cloud):
    for task in ("product", "issue"):
        cloud.table(MODEL_INFO).put(any_model_info(task=task, model_id=f"acme/{task}"))
    cloud.table(MODEL_INFO).put(any_model_info(model_id="acme/off", state="registered"))
    selected = select(cloud)
    assert [model.model_id for model in selected.models] == ["acme/issue", "acme/product"]
    entry = recorded(cloud)
    assert entry.models == selected.models
    assert entry.subject == "c-1"
    assert [(source.source, source.what) for source in entry.stated] == [("tag", "Older American")]
    assert entry.expires_at


@pytest.mark.usefixtures("complaint")
def test_the_strategy_in_force_decides(cloud):
    strategy = any_strategy(
        {"champion": 0, "challenger": 10_000}, arms=(any_arm(share=0), any_arm("challenger", share=10_000))
    )
    for arm in strategy.arms:
        cloud.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision))
    cloud.table(MODEL_STRATEGY).put(any_model_strategy(strategy, version=4))
    (model,) = select(cloud).models
    assert (model.arm, model.strategy_version) == ("challenger", 4)
    assert model.bucket is not None


@pytest.mark.usefixtures("complaint")
def test_sampled_shadows_are_recorded_and_do_not_travel_with_the_models(cloud):
    strategy = any_strategy(shadows={"next": 10_000})
    for arm in strategy.all_arms:
        cloud.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision))
    cloud.table(MODEL_STRATEGY).put(any_model_strategy(strategy))
    (model,) = select(cloud).models
    assert model.arm == "champion"
    (shadow,) = recorded(cloud).shadows
    assert (shadow.arm, shadow.shadow) == ("next", True)


@pytest.mark.usefixtures("complaint")
def test_a_shadow_that_is_not_active_any_more_is_skipped_with_a_line_in_the_log(cloud, caplog):
    strategy = any_strategy(shadows={"next": 10_000})
    cloud.table(MODEL_INFO).put(any_model_info(model_id=any_arm().model_id, revision=any_arm().revision))
    cloud.table(MODEL_STRATEGY).put(any_model_strategy(strategy))
    (model,) = select(cloud).models
    assert model.arm == "champion"
    assert recorded(cloud).missing_shadows == ("product/next",)
    assert "shadows skipped" in caplog.text


@pytest.mark.usefixtures("complaint")
def test_a_recorded_selection_is_replayed_whatever_changed_since(cloud):
    cloud.table(MODEL_INFO).put(any_model_info())
    first = select(cloud)
    cloud.table(MODEL_INFO).put(any_model_info(state="retired"))
    cloud.table(MODEL_INFO).put(any_model_info(revision=any_revision("new")))
    cloud.session().client("dynamodb").delete_item(TableName=RAW_COMPLAINTS.name, Key={"complaint_id": {"S": "1"}})
    assert select(cloud) == first != Selected(complaint_id="1", models=())


@pytest.mark.usefixtures("complaint")
def test_of_two_selections_at_once_both_answer_the_first(cloud):
    cloud.table(MODEL_INFO).put(any_model_info())
    ours = cloud.session()
    theirs: list[Selected] = []

    def be_faster() -> None:
        theirs.append(select(cloud))
        cloud.table(MODEL_INFO).put(any_model_info(state="retired"))

    before(ours, "dynamodb.PutItem", be_faster)
    result = build(cloud.select_models, ours)(EVENT, None)
    assert [Selected.model_validate(result)] == theirs
    assert recorded(cloud).models == theirs[0].models


def test_a_complaint_that_does_not_exist_is_named(cloud):
    with pytest.raises(ComplaintMissingError, match="1 is not in raw_complaints"):
        select(cloud)
    assert cloud.table(COMPLAINTS_ALLOCATION).get("1", SELECTION) is None


@pytest.mark.usefixtures("complaint")
@pytest.mark.parametrize(
    "bad",
    [
        {"model_id": "acme/bad", "revision": "main", "task": "product"},
        {"model_id": "nonsense", "revision": any_revision(), "task": "product"},
        {"model_id": "acme/bad", "revision": any_revision()},
        {"model_id": "acme/bad", "revision": any_revision(), "task": "Product"},
        {"model_id": "acme/bad", "revision": any_revision(), "task": "product", "bundle": "yes"},
        {"model_id": "acme/bad", "revision": any_revision(), "task": "product", "note": "mine"},
        {"model_id": "acme/bad", "revision": any_revision(), "task": 7},
    ],
)
def test_a_bad_row_in_model_info_stops_nobody(cloud, bad, caplog):
    cloud.table(MODEL_INFO).put({"state": "champion", **bad})
    cloud.table(MODEL_INFO).put(any_model_info())
    (model,) = select(cloud).models
    assert model.model_id == "acme/model"
    assert "bad row of model_info ignored" in caplog.text


@pytest.mark.usefixtures("complaint")
@pytest.mark.parametrize(
    "bad",
    [
        {"task": "product", "entry": "CURRENT"},
        {"task": "product", "entry": "CURRENT", "version": 1, "strategy": {"arms": []}},
        {"task": "product", "entry": "CURRENT", "version": 0, "strategy": "canary"},
        {"task": "product", "entry": "OLD"},
    ],
)
def test_a_bad_row_in_model_strategy_leaves_the_longest_active(cloud, bad):
    cloud.table(MODEL_STRATEGY).put(bad)
    cloud.table(MODEL_INFO).put(any_model_info())
    (model,) = select(cloud).models
    assert model.arm is None


@pytest.mark.usefixtures("complaint")
def test_a_bad_edit_leaves_the_last_good_strategy_in_force_and_is_measured_for_the_alarm(cloud, capsys):
    strategy = any_strategy(
        {"champion": 0, "challenger": 10_000}, arms=(any_arm(share=0), any_arm("challenger", share=10_000))
    )
    for arm in strategy.arms:
        cloud.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision))
    registry = Registry(cloud.table(MODEL_INFO), cloud.table(MODEL_STRATEGY), cloud.table(CHAMPION_LEDGER))
    put_in_force(registry, strategy, by="ann", replaces=0)
    edited = any_model_strategy(strategy).model_dump(mode="json") | {"strategy": {"arms": []}}
    cloud.table(MODEL_STRATEGY).put(edited)
    (model,) = select(cloud).models
    assert (model.arm, model.strategy_version) == ("challenger", 1)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert line["StrategyRefused"] == [1.0]
    # The alarm names no dimension, and would not see one that has any.
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]


@pytest.mark.usefixtures("complaint")
def test_no_models_are_an_answer_too(cloud):
    assert select(cloud).models == ()
    assert recorded(cloud).models == ()


@pytest.mark.parametrize("narrative", [None, "", 7, {"text": "no"}, [1], b"bytes"])
def test_a_complaint_that_cannot_be_read_is_recorded_with_its_reason(cloud, narrative):
    cloud.table(MODEL_INFO).put(any_model_info())
    cloud.table(RAW_COMPLAINTS).put({"complaint_id": "1", "narrative": narrative, "tags": 7, "account_vulnerable": 7})
    assert select(cloud).models == ()
    assert recorded(cloud).unreadable
    assert len(recorded(cloud).doubts) == 2


@pytest.mark.usefixtures("complaint")
def test_the_models_are_found_through_their_index(cloud):
    session = cloud.session()
    asked = calls(session, "dynamodb.Query")
    build(cloud.select_models, session)(EVENT, None)
    assert {call.get("IndexName") for call in asked} == {"by_state"}


def test_a_mail_is_read_as_text_and_its_reader_is_recorded(cloud):
    mail = "<p>My card was stolen.</p><blockquote>You said that you want to kill yourself. I want to die.</blockquote>"
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative=mail))
    select(cloud)
    entry = recorded(cloud)
    assert (entry.text_sha256, entry.letter_version) == (sha256_of_text("My card was stolen."), LETTER_VERSION)
    assert any(source.urgent for source in entry.stated)
