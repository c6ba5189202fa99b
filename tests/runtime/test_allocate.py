import json

import pytest

from runtime.allocate import build
from tests.factories import (
    answered,
    any_model_reference,
    any_prediction,
    any_selection,
)
from tests.runtime.conftest import Cloud, before, calls
from triage.steps import Allocated, AllocationRequest, Failure, Outcome
from triage.story import ALLOCATION, FAILED, AllocationEntry, Drawn, FailureEntry, PredictionEntry
from triage.tables import COMPLAINTS_ALLOCATION
from triage.taxonomy import load_taxonomy
from triage.vulnerability import Stated

MORTGAGE = load_taxonomy().product("Mortgage")
PREDICTIONS = (
    any_prediction(complaint_id="1", task="product", label=MORTGAGE.name),
    any_prediction(complaint_id="1", task="issue", label=MORTGAGE.issues[0]),
    any_prediction(complaint_id="1", task="vulnerable", label="not vulnerable", positive_label="vulnerable"),
)


def event(*outcomes: Outcome, **values: object):
    request = {"complaint_id": "1", "started_at": "2026-03-02T09:29:57.500Z", "outcomes": outcomes, **values}
    return AllocationRequest.model_validate(request).model_dump(mode="json")


def allocations(cloud: Cloud) -> list[AllocationEntry]:
    items = cloud.table(COMPLAINTS_ALLOCATION).query("1")
    return [AllocationEntry.model_validate(item) for item in items if item["entry"] == ALLOCATION]


@pytest.fixture
def story(cloud):
    table = cloud.table(COMPLAINTS_ALLOCATION)
    for entry in (any_selection(complaint_id="1"), *PREDICTIONS):
        assert table.put(entry)
    return table


@pytest.mark.usefixtures("story")
def test_the_story_is_turned_into_an_allocation(cloud):
    result = build(cloud.allocate, cloud.session())(event(*answered(*PREDICTIONS)), None)
    announced = Allocated.model_validate(result)
    assert (announced.product_team, announced.route, announced.journey) == (MORTGAGE.team, "auto", "standard")
    (entry,) = allocations(cloud)
    assert entry.announcement() == announced
    assert entry.expires_at
    assert entry.milliseconds > 0


def test_shadows_are_announced_and_nothing_that_they_said_is_read(cloud):
    shadow = any_model_reference(model_id="acme/next", arm="next", bucket=7, shadow=True)
    said = any_prediction(complaint_id="1", model=shadow, label="Student loan").model_dump(mode="json")
    table = cloud.table(COMPLAINTS_ALLOCATION)
    garbage = {**said, "entry": PredictionEntry.key(shadow), "confidence": "none"}
    for entry in (any_selection(complaint_id="1", shadows=(shadow,)), *PREDICTIONS, garbage):
        assert table.put(entry)
    result = build(cloud.allocate, cloud.session())(event(*answered(*PREDICTIONS)), None)
    announced = Allocated.model_validate(result)
    assert (announced.product, announced.route) == (MORTGAGE.name, "auto")
    assert announced.shadows == (shadow,)
    assert shadow.version not in announced.models


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("share", [1.0, 1e-12])
def test_an_allocation_records_whether_the_complaint_was_drawn_for_labelling(cloud, share):
    environment = cloud.allocate.model_copy(update={"audit_share": share})
    build(environment, cloud.session())(event(*answered(*PREDICTIONS)), None)
    (entry,) = allocations(cloud)
    assert entry.drawn == (Drawn(stratum="mortgage/auto/standard", inclusion=1.0) if share == 1.0 else None)


def test_an_empty_story_is_allocated_to_people(cloud):
    result = build(cloud.allocate, cloud.session())(event(selection_error="States.Timeout"), None)
    assert (result["route"], result["journey"], result["vulnerable"]) == ("manual", "specialist", None)
    assert len(allocations(cloud)) == 1


def test_what_was_stated_is_read_back_from_the_story(cloud):
    source = Stated(source="tag", what="Servicemember")
    cloud.table(COMPLAINTS_ALLOCATION).put(any_selection(complaint_id="1", stated=(source,)))
    assert build(cloud.allocate, cloud.session())(event(), None)["vulnerable"] is True
    assert allocations(cloud)[0].stated == (source,)


@pytest.mark.usefixtures("story")
def test_a_repeated_call_replays_the_allocation_whatever_it_is_asked(cloud):
    allocate = build(cloud.allocate, cloud.session())
    first = allocate(event(*answered(*PREDICTIONS)), None)
    recorded = allocations(cloud)
    assert allocate(event(selection_error="States.Timeout"), None) == first
    assert allocations(cloud) == recorded


@pytest.mark.usefixtures("story")
def test_of_two_allocations_at_once_one_counts_for_both(cloud):
    ours, theirs = cloud.session(), cloud.session()
    other = build(cloud.allocate, theirs)
    results: list[object] = []
    before(ours, "dynamodb.PutItem", lambda: results.append(other(event(selection_error="States.Timeout"), None)))
    results.append(build(cloud.allocate, ours)(event(*answered(*PREDICTIONS)), None))
    assert results[0] == results[1]
    assert len(allocations(cloud)) == 1


@pytest.mark.usefixtures("story")
def test_every_allocation_is_measured_once_by_route_and_journey(cloud, capsys):
    allocate = build(cloud.allocate, cloud.session())
    for _ in range(2):
        allocate(event(*answered(*PREDICTIONS)), None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    measured = {name: line for line in lines for name in ("Allocated", "AllocationTime") if name in line}
    assert len(lines) == len(measured) == 2
    assert all((line["route"], line["journey"]) == ("auto", "standard") for line in lines)


@pytest.mark.usefixtures("story")
def test_a_story_of_many_predictions_is_read_to_its_end(cloud, story):
    for number in range(40):
        story.put(any_prediction(complaint_id="1", task=f"further-{number}", label="x" * 40_000))
    result = build(cloud.allocate, cloud.session())(event(*answered(*PREDICTIONS)), None)
    assert result["route"] == "auto"


@pytest.mark.usefixtures("story")
def test_a_model_that_failed_is_named_in_the_reasons(cloud):
    outcomes = (*answered(*PREDICTIONS[1:]), Outcome(model=any_model_reference(), error="ModelFailedError"))
    build(cloud.allocate, cloud.session())(event(*outcomes), None)
    assert [reason.text for reason in allocations(cloud)[0].reasons] == ["product: ModelFailedError"]
    stored = cloud.table(COMPLAINTS_ALLOCATION).get("1", ALLOCATION)
    assert stored is not None and stored["reasons"] == ["product: ModelFailedError"], "product teams read texts"


CHALLENGER = any_model_reference(model_id="acme/b", arm="b", bucket=7, stand_in=PREDICTIONS[0].model)
STOOD_IN = Outcome(model=PREDICTIONS[0].model, instead_of=Failure(model=CHALLENGER, error="ModelFailedError"))


def failures(cloud: Cloud) -> list[FailureEntry]:
    items = cloud.table(COMPLAINTS_ALLOCATION).query("1")
    return [FailureEntry.model_validate(item) for item in items if item["entry"].startswith(FAILED)]


@pytest.mark.usefixtures("story")
def test_a_challenger_that_failed_is_recorded_and_the_stand_ins_answer_needs_nobody(cloud):
    result = build(cloud.allocate, cloud.session())(event(STOOD_IN, *answered(*PREDICTIONS[1:])), None)
    assert (result["route"], result["product"]) == ("auto", MORTGAGE.name)
    assert allocations(cloud)[0].reasons == ()
    (failure,) = failures(cloud)
    assert (failure.entry, failure.model, failure.error) == (
        f"FAILED#product#{CHALLENGER.version}",
        CHALLENGER,
        "ModelFailedError",
    )
    assert failure.expires_at


def test_the_failures_of_a_version_are_counted_through_the_index_in_the_order_of_time(cloud):
    allocate = build(cloud.allocate, cloud.session())
    for complaint_id in ("3", "1", "2"):
        allocate({**event(STOOD_IN), "complaint_id": complaint_id}, None)
    found = list(cloud.table(COMPLAINTS_ALLOCATION).query(CHALLENGER.version, index="by_failed_version"))
    assert [item["complaint_id"] for item in found] == ["3", "1", "2"]


@pytest.mark.usefixtures("story")
def test_everyone_who_failed_is_recorded_where_the_stand_in_fails_too(cloud):
    outcome = STOOD_IN.model_copy(update={"error": "States.Timeout"})
    result = build(cloud.allocate, cloud.session())(event(outcome, *answered(*PREDICTIONS[1:])), None)
    assert result["route"] == "manual"
    assert {(f.failed_version, f.error) for f in failures(cloud)} == {
        (CHALLENGER.version, "ModelFailedError"),
        (PREDICTIONS[0].model_version, "States.Timeout"),
    }


def test_a_failure_is_recorded_logged_and_counted_once_however_often_it_is_replayed(cloud, capsys, caplog):
    session = cloud.session()

    def interrupt(params, **_):
        if params["Item"]["entry"] == {"S": ALLOCATION}:
            raise InterruptedError

    session.events.register("provide-client-params.dynamodb.PutItem", interrupt)
    with pytest.raises(InterruptedError):
        build(cloud.allocate, session)(event(STOOD_IN), None)
    recorded = failures(cloud)
    assert len(recorded) == 1
    allocate = build(cloud.allocate, cloud.session())
    allocate(event(STOOD_IN), None)
    allocate(event(STOOD_IN.model_copy(update={"error": "States.Timeout"})), None)
    assert failures(cloud) == recorded
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [(m["task"], m["arm"]) for m in metrics if "ModelFailed" in m] == [("product", "b")]
    assert caplog.text.count("model failed") == 1


@pytest.mark.usefixtures("story")
def test_the_story_is_read_consistently(cloud):
    session = cloud.session()
    asked = calls(session, "dynamodb.Query")
    build(cloud.allocate, session)(event(), None)
    assert all(call["ConsistentRead"] for call in asked)
    assert asked
