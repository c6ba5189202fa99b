from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import (
    NOW,
    answered,
    any_allocation_request,
    any_model_reference,
    any_prediction,
    any_revision,
    any_selection,
)
from triage.allocation import MANUAL_TEAM, allocate
from triage.clock import load_clocks
from triage.reason import Code
from triage.steps import AllocationRequest, Failure, Outcome
from triage.story import AllocationEntry, PredictionEntry, SelectionEntry
from triage.taxonomy import load_taxonomy
from triage.vulnerability import Stated

TAXONOMY = load_taxonomy()
CLOCKS = load_clocks()
MORTGAGE = TAXONOMY.product("Mortgage")
SERVICEMEMBER = Stated(source="tag", what="Servicemember")

PRODUCT = any_prediction(task="product", label=MORTGAGE.name)
ISSUE = any_prediction(task="issue", label=MORTGAGE.issues[0])
NOT_VULNERABLE = any_prediction(task="vulnerable", label="not vulnerable", positive_label="vulnerable")
VULNERABLE = any_prediction(task="vulnerable", label="vulnerable", positive_label="vulnerable")


def decide(
    *predictions: PredictionEntry,
    selection: SelectionEntry | None = None,
    failed: dict[str, str] | None = None,
    **request: Any,
) -> AllocationEntry:
    """Allocate by predictions that were made and tasks that failed with an error."""
    outcomes = (
        *answered(*predictions),
        *(Outcome(model=any_model_reference(task=task), error=error) for task, error in (failed or {}).items()),
    )
    return allocate(
        any_allocation_request(**{"outcomes": outcomes, **request}),
        selection=selection or any_selection(),
        predictions=predictions,
        taxonomy=TAXONOMY,
        clocks=CLOCKS,
        now=NOW,
        code_version="test",
    )


def texts(allocation: AllocationEntry) -> list[str]:
    return [reason.text for reason in allocation.reasons]


def test_three_confident_answers_need_nobody():
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE)
    assert (allocation.route, allocation.journey, allocation.reasons) == ("auto", "standard", ())
    assert (allocation.product_team, allocation.product, allocation.issue, allocation.vulnerable) == (
        MORTGAGE.team,
        MORTGAGE.name,
        MORTGAGE.issues[0],
        False,
    )


def test_every_product_goes_to_its_own_team():
    for product in TAXONOMY.products:
        predictions = (
            any_prediction(task="product", label=product.name),
            any_prediction(task="issue", label=product.issues[-1]),
        )
        allocation = decide(*predictions, NOT_VULNERABLE)
        assert (allocation.product_team, allocation.route) == (product.team, "auto")


@pytest.mark.parametrize(("task", "prediction", "asked"), [("product", PRODUCT, "review"), ("issue", ISSUE, "auto")])
@pytest.mark.parametrize(
    ("values", "is_doubtful"),
    [
        ({"confidence": 0.8}, False),
        ({"confidence": 0.7999}, True),
        ({"confidence": 1.0, "thresholds": {}}, True),
        ({"confidence": 0.0, "thresholds": {"auto": 0.0}}, False),
        ({"confidence": 0.999, "thresholds": {"auto": 1.0}}, True),
    ],
)
def test_below_the_threshold_or_without_one_the_product_asks_triage_and_the_issue_asks_the_team(
    task, prediction, asked, values, is_doubtful
):
    others = [p for p in (PRODUCT, ISSUE, NOT_VULNERABLE) if p.model.task != task]
    allocation = decide(any_prediction(task=task, label=prediction.label, **values), *others)
    assert allocation.route == (asked if is_doubtful else "auto")
    assert is_doubtful == bool(allocation.reasons)
    assert all(reason.task == task for reason in allocation.reasons)
    assert allocation.journey == "standard", "a doubt on the product is none on vulnerability"
    assert allocation.product_team == MORTGAGE.team
    assert (allocation.issues is not None) == (is_doubtful and task == "issue")


def test_the_team_chooses_among_the_three_most_probable_issues_of_the_product():
    foreign = next(issue for product in TAXONOMY.products for issue in product.issues if issue not in MORTGAGE.issues)
    labels = [foreign, *MORTGAGE.issues[:4]]
    top = tuple({"label": label, "probability": 0.3 - place / 20} for place, label in enumerate(labels))
    allocation = decide(PRODUCT, any_prediction(task="issue", label=foreign, confidence=0.3, top=top), NOT_VULNERABLE)
    assert [one.label for one in allocation.issues or ()] == list(MORTGAGE.issues[:3])
    assert allocation.announcement().issues == MORTGAGE.issues[:3]
    assert decide(PRODUCT, ISSUE, NOT_VULNERABLE).announcement().issues == ()


def test_an_issue_of_another_product_is_named_by_the_team():
    elsewhere = next(issue for product in TAXONOMY.products for issue in product.issues if issue not in MORTGAGE.issues)
    allocation = decide(PRODUCT, any_prediction(task="issue", label=elsewhere, confidence=1.0), NOT_VULNERABLE)
    assert allocation.route == "auto"
    assert allocation.product_team == MORTGAGE.team
    assert texts(allocation) == ["issue: not one of the product's issues"]


@pytest.mark.parametrize(
    ("received_at", "received_on"),
    [
        ("2026-02-27T23:30:00Z", "2026-02-27"),
        (None, "2026-03-02"),
        ("2026-03-03T00:00:00Z", "2026-03-02"),
    ],
)
def test_the_clock_of_the_product_runs_from_the_day_of_receipt(received_at, received_on):
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, selection=any_selection(received_at=received_at))
    assert allocation.clock == CLOCKS.clock("Mortgage", date.fromisoformat(received_on))
    assert allocation.announcement().clock == allocation.clock


def test_a_complaint_that_is_started_again_keeps_its_first_day():
    first = any_selection(received_at=None, selected_at="2026-02-20T09:00:00.000Z")
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, selection=first)
    assert allocation.clock == CLOCKS.clock("Mortgage", date(2026, 2, 20))


def test_without_a_product_the_shortest_clock_runs():
    allocation = decide(any_prediction(task="product", label="LABEL_3", confidence=1.0), ISSUE, NOT_VULNERABLE)
    assert allocation.clock is not None
    assert allocation.clock.kind == "payment-services"


def test_a_product_outside_the_taxonomy_is_manual():
    allocation = decide(any_prediction(task="product", label="LABEL_3", confidence=1.0), ISSUE, NOT_VULNERABLE)
    assert (allocation.route, allocation.product_team) == ("manual", MANUAL_TEAM)
    assert allocation.reasons


def test_a_product_that_failed_is_manual_and_says_why():
    allocation = decide(ISSUE, NOT_VULNERABLE, failed={"product": "ModelFailedError"})
    assert (allocation.route, allocation.product_team, allocation.product) == ("manual", MANUAL_TEAM, None)
    assert texts(allocation) == ["product: ModelFailedError"]


def test_an_issue_that_failed_is_named_by_the_products_team():
    allocation = decide(PRODUCT, NOT_VULNERABLE, failed={"issue": "BundleCorruptError"})
    assert (allocation.route, allocation.product_team, allocation.issue) == ("auto", MORTGAGE.team, None)
    assert texts(allocation) == ["issue: BundleCorruptError"]
    assert allocation.issues == ()


def test_a_task_without_a_model_says_so():
    allocation = decide()
    assert texts(allocation) == [f"{task}: no model answered" for task in ("product", "issue", "vulnerable")]
    assert (allocation.route, allocation.journey, allocation.vulnerable) == ("manual", "specialist", None)


def test_a_vulnerable_customer_follows_the_specialist_journey_without_review():
    allocation = decide(PRODUCT, ISSUE, VULNERABLE)
    assert (allocation.route, allocation.journey, allocation.vulnerable) == ("auto", "specialist", True)
    assert texts(allocation) == ["vulnerable: model"]


@pytest.mark.parametrize("source", [SERVICEMEMBER, Stated(source="account", what="flag")], ids=lambda s: s.source)
@pytest.mark.parametrize("prediction", [NOT_VULNERABLE, VULNERABLE], ids=lambda p: p.label)
def test_no_model_overrules_what_was_stated(source, prediction):
    allocation = decide(PRODUCT, ISSUE, prediction, selection=any_selection(stated=(source,)))
    assert (allocation.journey, allocation.vulnerable) == ("specialist", True)
    assert allocation.stated == (source,)
    assert f"vulnerable: {source.source} ({source.what})" in texts(allocation)


def test_what_was_stated_counts_where_the_model_failed():
    allocation = decide(
        PRODUCT, ISSUE, selection=any_selection(stated=(SERVICEMEMBER,)), failed={"vulnerable": "ModelFailedError"}
    )
    assert (allocation.journey, allocation.vulnerable) == ("specialist", True)


def test_vulnerability_that_nobody_decided_is_unknown_and_protected():
    allocation = decide(PRODUCT, ISSUE, failed={"vulnerable": "ModelFailedError"})
    assert (allocation.journey, allocation.vulnerable, allocation.route) == ("specialist", None, "auto")
    assert texts(allocation) == ["vulnerable: ModelFailedError"]


def test_a_doubt_on_vulnerability_is_protected():
    allocation = decide(
        PRODUCT, ISSUE, NOT_VULNERABLE, selection=any_selection(doubts=("tags are not a list of texts",))
    )
    assert allocation.journey == "specialist"
    assert texts(allocation) == ["tags are not a list of texts"]


def test_a_doubt_on_the_customers_number_is_none_on_vulnerability():
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, selection=any_selection(doubts=("customer_id is not text",)))
    assert allocation.journey == "standard"


@pytest.mark.parametrize("label", ["LABEL_1", "Vulnerable", "yes"])
def test_the_models_positive_label_flags_whatever_it_is_called(label):
    allocation = decide(PRODUCT, ISSUE, any_prediction(task="vulnerable", label=label, positive_label=label))
    assert allocation.journey == "specialist"


def test_without_a_selection_nothing_is_known_about_vulnerability():
    allocation = allocate(
        any_allocation_request(outcomes=answered(PRODUCT, ISSUE, NOT_VULNERABLE)),
        selection=None,
        predictions=(PRODUCT, ISSUE, NOT_VULNERABLE),
        taxonomy=TAXONOMY,
        clocks=CLOCKS,
        now=NOW,
        code_version="test",
    )
    assert allocation.journey == "specialist"


def test_a_selection_that_failed_is_manual_and_specialist():
    allocation = allocate(
        any_allocation_request(selection_error="States.Timeout"),
        selection=None,
        predictions=(),
        taxonomy=TAXONOMY,
        clocks=CLOCKS,
        now=NOW,
        code_version="test",
    )
    assert (allocation.route, allocation.journey, allocation.vulnerable) == ("manual", "specialist", None)
    assert texts(allocation) == [
        "selection: States.Timeout",
        "vulnerable: what the complaint states was not recorded",
        "vulnerable: not asked",
    ]


def test_a_selection_that_was_recorded_and_then_failed_keeps_what_was_stated():
    allocation = decide(selection=any_selection(stated=(SERVICEMEMBER,)), selection_error="States.Timeout")
    assert (allocation.route, allocation.vulnerable) == ("manual", True)


def test_an_unreadable_complaint_gives_that_as_its_only_reason_for_a_person():
    allocation = decide(selection=any_selection(unreadable="narrative is empty"))
    assert (allocation.route, allocation.journey) == ("manual", "specialist")
    assert texts(allocation) == ["narrative is empty", "vulnerable: not asked"]
    assert [reason.text for reason in allocation.reasons if reason.asks == "triage"] == ["narrative is empty"]


def test_a_prediction_counts_only_where_its_model_answered():
    superseded = any_prediction(
        model=any_model_reference(revision=any_revision("old")), label="Student loan", confidence=1.0
    )
    allocation = allocate(
        any_allocation_request(outcomes=answered(PRODUCT, ISSUE, NOT_VULNERABLE)),
        selection=any_selection(),
        predictions=(PRODUCT, ISSUE, NOT_VULNERABLE, superseded),
        taxonomy=TAXONOMY,
        clocks=CLOCKS,
        now=NOW,
        code_version="test",
    )
    assert allocation.product == MORTGAGE.name


def test_a_prediction_whose_outcome_reports_an_error_does_not_count():
    outcomes = (*answered(ISSUE, NOT_VULNERABLE), Outcome(model=PRODUCT.model, error="States.Timeout"))
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, outcomes=outcomes)
    assert (allocation.route, allocation.product) == ("manual", None)


def test_the_answer_of_a_stand_in_counts_and_the_failure_before_it_is_no_reason_to_ask_a_person():
    challenger = any_model_reference(model_id="acme/challenger", arm="challenger", stand_in=PRODUCT.model)
    # It answered, and failed after that: what it said does not count.
    said = any_prediction(model=challenger, label="Student loan", confidence=1.0)
    failed = Failure(model=challenger, error="States.Timeout")
    outcomes = (*answered(ISSUE, NOT_VULNERABLE), Outcome(model=PRODUCT.model, instead_of=failed))
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, said, outcomes=outcomes)
    assert (allocation.route, allocation.journey, allocation.reasons) == ("auto", "standard", ())
    assert (allocation.product, PRODUCT.model_version in allocation.announcement().models) == (MORTGAGE.name, True)


def test_a_stand_in_that_fails_too_leads_to_people():
    failed = Failure(model=any_model_reference(model_id="acme/challenger"), error="ModelFailedError")
    outcome = Outcome(model=PRODUCT.model, error="States.Timeout", instead_of=failed)
    allocation = decide(ISSUE, NOT_VULNERABLE, outcomes=(*answered(ISSUE, NOT_VULNERABLE), outcome))
    assert (allocation.route, texts(allocation)) == ("manual", ["product: States.Timeout"])


def test_a_further_task_is_recorded_and_changes_no_route():
    angry = any_prediction(task="tone", label="angry", confidence=0.1, positive_label="angry")
    allocation = decide(PRODUCT, ISSUE, NOT_VULNERABLE, angry)
    assert (allocation.route, allocation.reasons) == ("auto", ())
    assert "tone" in {decision.task for decision in allocation.decisions}


def test_each_decision_holds_what_it_was_held_against():
    decisions = {decision.task: decision for decision in decide(PRODUCT, ISSUE, NOT_VULNERABLE).decisions}
    for prediction in (PRODUCT, ISSUE, NOT_VULNERABLE):
        decision = decisions[prediction.model.task]
        assert (decision.model, decision.label, decision.confidence) == (
            prediction.model,
            prediction.label,
            prediction.confidence,
        )
        assert decision.auto_threshold == prediction.thresholds.auto
        assert decision.weights_sha256 == prediction.weights_sha256


@pytest.mark.parametrize(
    ("started_at", "milliseconds"),
    [
        ("2026-03-02T09:29:57.500Z", 2500),
        ("2026-03-02T09:29:59Z", 1000),
        ("2026-03-02T10:30:00+01:00", 0),
        ("2026-03-02T09:30:05Z", 0),
    ],
)
def test_the_time_counts_from_the_start_of_the_execution(started_at, milliseconds):
    assert decide(started_at=started_at).milliseconds == milliseconds


def test_the_announcement_names_every_model_that_decided():
    allocation = decide(PRODUCT, ISSUE, VULNERABLE)
    announced = allocation.announcement()
    assert set(announced.models) == {p.model.version for p in (PRODUCT, ISSUE, VULNERABLE)}
    assert announced.route == allocation.route
    assert announced.vulnerable is True


LABELS = st.sampled_from([MORTGAGE.name, MORTGAGE.issues[0], "LABEL_0", "vulnerable", "not vulnerable", ""])
PREDICTIONS = st.builds(
    any_prediction,
    task=st.sampled_from(["product", "issue", "vulnerable", "tone"]),
    label=LABELS,
    confidence=st.floats(0, 1),
    thresholds=st.fixed_dictionaries({}, optional={"auto": st.floats(0, 1), "flag": st.floats(0, 1)}),
)
SELECTIONS = st.none() | st.builds(
    any_selection,
    stated=st.lists(st.just(SERVICEMEMBER), max_size=1).map(tuple),
    unreadable=st.none() | st.just("narrative is empty"),
    doubts=st.lists(st.just("tags are not a list of texts"), max_size=1).map(tuple),
)
ERRORS = st.none() | st.sampled_from(["ModelFailedError", "States.Timeout", "Lambda.Unknown"])


@settings(max_examples=300)
@given(st.lists(PREDICTIONS, max_size=6), st.data(), SELECTIONS, ERRORS, st.timedeltas(timedelta(-9), timedelta(9)))
def test_whatever_happened_exactly_one_well_formed_allocation_protects_the_customer(
    predictions, data, selection, selection_error, age
):
    outcomes = tuple(Outcome(model=prediction.model, error=data.draw(ERRORS)) for prediction in predictions)
    request = AllocationRequest(
        complaint_id="1",
        started_at=(NOW - age).isoformat(),
        outcomes=outcomes[: data.draw(st.integers(0, len(outcomes)))],
        selection_error=selection_error,
    )
    allocation = allocate(
        request,
        selection=selection,
        predictions=predictions,
        taxonomy=TAXONOMY,
        clocks=CLOCKS,
        now=NOW,
        code_version="test",
    )
    assert AllocationEntry.model_validate_json(allocation.model_dump_json()) == allocation
    decided = {decision.task: decision.label for decision in allocation.decisions}
    stated = selection.stated if selection else ()
    doubted = selection.doubts if selection else ()
    if stated or doubted or decided.get("vulnerable") in (None, "vulnerable"):
        assert allocation.journey == "specialist"
        assert any(reason.task == "vulnerable" for reason in allocation.reasons)
    if stated:
        assert allocation.vulnerable is True
    assert (allocation.journey == "specialist") == any(r.asks == "specialist" for r in allocation.reasons)
    assert (allocation.route == "auto") == (not any(r.asks == "triage" for r in allocation.reasons))
    if selection_error or (selection and selection.unreadable):
        assert not any(reason.code is Code.NO_MODEL for reason in allocation.reasons)
    assert not any(reason.code is Code.UNKNOWN for reason in allocation.reasons)
    assert (allocation.route == "manual") == (allocation.product_team == MANUAL_TEAM)
    assert allocation.product_team in {MANUAL_TEAM, *TAXONOMY.teams}
    if allocation.route == "auto":
        assert TAXONOMY.has_product(str(allocation.product))
        named = TAXONOMY.has_issue(str(allocation.product), str(allocation.issue))
        assert named or allocation.issues is not None, "the team names the issue"
        assert not selection_error and not (selection and selection.unreadable)
        for decision in allocation.decisions:
            if decision.task in ("product", "issue"):
                assert decision.auto_threshold is not None
                assert decision.confidence >= decision.auto_threshold
    else:
        assert allocation.reasons


def test_self_harm_has_a_reason_of_its_own_before_all_others_and_makes_the_allocation_urgent():
    source = Stated(source="said", what="health", rule="self_harm", urgent=True)
    allocation = decide(PRODUCT, ISSUE, selection=any_selection(stated=(source,)))
    assert (allocation.reasons[0].code, allocation.urgent, allocation.journey) == (Code.URGENT, True, "specialist")
    assert allocation.announcement().urgent
    calm = decide(PRODUCT, ISSUE, selection=any_selection(stated=(SERVICEMEMBER,)))
    assert not calm.urgent and not calm.announcement().urgent
