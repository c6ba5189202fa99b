from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOW, any_allocation, any_decision, any_feedback, any_model_reference
from triage.allocation import MANUAL_TEAM
from triage.clock import load_clocks
from triage.errors import FeedbackRefusedError
from triage.feedback import Feedback
from triage.reallocation import labels, reallocate
from triage.reason import Code
from triage.story import AllocationEntry
from triage.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
CLOCKS = load_clocks()


def after(current: AllocationEntry, feedback: Feedback) -> AllocationEntry:
    return reallocate(current, feedback, taxonomy=TAXONOMY, clocks=CLOCKS, now=NOW, code_version="new")


def texts(allocation: AllocationEntry) -> list[str]:
    return [reason.text for reason in allocation.reasons]


def test_a_reallocation_moves_the_complaint_to_the_team_of_its_product():
    card = TAXONOMY.product("Credit card")
    moved = after(any_allocation(), any_feedback(kind="reallocate", product=card.name, issue=card.issues[0]))
    assert (moved.product_team, moved.product, moved.issue) == (card.team, card.name, card.issues[0])
    assert (moved.version, moved.decided_by, moved.feedback_id, moved.route) == (2, "person", "f-1", "auto")


def test_an_issue_that_the_new_product_lacks_is_left_to_the_team():
    moved = after(any_allocation(), any_feedback(kind="reallocate", product="Credit card"))
    assert (moved.issue, moved.route) == (None, "auto")
    assert texts(moved) == ["issue: not named since the re-allocation"]


def test_a_reallocation_may_change_the_clock_and_never_starts_it_again():
    received_on = date(2026, 2, 20)
    current = any_allocation(clock=CLOCKS.clock("Mortgage", received_on))
    moved = after(current, any_feedback(kind="reallocate", product="Credit card"))
    assert moved.clock == CLOCKS.clock("Credit card", received_on)
    assert after(current, any_feedback()).clock == current.clock


def test_a_reallocation_gives_a_clock_to_what_has_none_from_the_day_it_was_put():
    moved = after(any_allocation(), any_feedback(kind="reallocate", product="Credit card"))
    assert moved.clock == CLOCKS.clock("Credit card", date(2026, 3, 2))


def test_the_issues_to_choose_from_go_once_one_is_named_or_the_product_is_another():
    choices = ({"label": "Closing on a mortgage", "probability": 0.4},)
    doubted = any_allocation(reasons=("issue: confidence below threshold",), issues=choices)
    assert after(doubted, any_feedback()).issues is None
    assert after(doubted, any_feedback(tasks=("product",))).issues == doubted.issues
    assert after(doubted, any_feedback(kind="reallocate", product="Credit card")).issues is None
    assert after(doubted, any_feedback(kind="correct_issue", issue=TAXONOMY.issues_of("Mortgage")[0])).issues is None


def test_a_corrected_issue_leaves_the_team():
    issue = TAXONOMY.issues_of("Mortgage")[0]
    corrected = after(any_allocation(route="review"), any_feedback(kind="correct_issue", issue=issue))
    assert (corrected.product_team, corrected.issue, corrected.route) == ("mortgage", issue, "auto")


def test_a_confirmed_allocation_needs_no_review_and_keeps_its_protection():
    doubted = any_allocation(
        route="review",
        journey="specialist",
        vulnerable=None,
        reasons=("product: confidence below threshold", "vulnerable: no model answered"),
    )
    confirmed = after(doubted, any_feedback())
    assert (confirmed.route, confirmed.journey, confirmed.vulnerable) == ("auto", "specialist", None)
    assert texts(confirmed) == ["vulnerable: no model answered"]


DOUBTED = (
    "product: confidence below threshold",
    "issue: confidence below threshold",
    "vulnerable: no model answered",
    "urgency: confidence below threshold",
)
PRODUCT_DOUBT, ISSUE_DOUBT, VULNERABLE_DOUBT, URGENCY_DOUBT = DOUBTED


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({}, [VULNERABLE_DOUBT, URGENCY_DOUBT]),
        ({"tasks": ("product",)}, [ISSUE_DOUBT, VULNERABLE_DOUBT, URGENCY_DOUBT]),
        ({"tasks": ("issue",)}, [PRODUCT_DOUBT, VULNERABLE_DOUBT, URGENCY_DOUBT]),
        (
            {"kind": "reallocate", "product": "Mortgage"},
            [ISSUE_DOUBT, VULNERABLE_DOUBT, URGENCY_DOUBT],
        ),
        (
            {"kind": "reallocate", "product": "Mortgage", "issue": "Closing on a mortgage"},
            [VULNERABLE_DOUBT, URGENCY_DOUBT],
        ),
        ({"kind": "correct_issue", "issue": "Closing on a mortgage"}, [VULNERABLE_DOUBT, URGENCY_DOUBT]),
        ({"kind": "set_vulnerable"}, [*DOUBTED, "vulnerable: set by a person"]),
        ({"kind": "clear_vulnerable"}, [PRODUCT_DOUBT, ISSUE_DOUBT, URGENCY_DOUBT]),
    ],
    ids=str,
)
def test_a_person_clears_the_reasons_of_what_they_decided_and_no_others(said, left):
    doubted = any_allocation(route="review", journey="specialist", vulnerable=None, reasons=DOUBTED)
    made = after(doubted, any_feedback(**said))
    assert (texts(made), made.route) == (left, "review")


@pytest.mark.parametrize("whole", ["narrative is empty", "selection: States.Timeout"])
def test_a_complaint_that_no_model_was_asked_about_is_settled_once_a_person_names_product_and_issue(whole):
    unread = any_allocation(product_team=MANUAL_TEAM, product=None, issue=None, route="manual", reasons=(whole,))
    moved = after(unread, any_feedback(kind="reallocate", product="Mortgage"))
    assert (texts(moved), moved.route) == ([whole, "issue: not named since the re-allocation"], "review")
    named = after(moved, any_feedback(kind="correct_issue", issue="Closing on a mortgage", version=2))
    assert (texts(named), named.route) == ([], "auto")


def test_an_issue_that_belongs_to_the_product_a_person_names_is_no_contradiction_any_more():
    contrary = any_allocation(
        product="Credit card", product_team="credit-card", reasons=("issue: not one of the product's issues",)
    )
    moved = after(contrary, any_feedback(kind="reallocate", product="Mortgage"))
    assert (moved.issue, texts(moved), moved.route) == ("Closing on a mortgage", [], "auto")


def test_an_issue_that_no_model_named_cannot_be_confirmed():
    unnamed = any_allocation(issue=None, route="review", reasons=("issue: no model answered",))
    assert texts(after(unnamed, any_feedback())) == ["issue: no model answered"]


def test_a_product_that_no_team_owns_cannot_be_confirmed():
    current = any_allocation(product_team=MANUAL_TEAM, product="Pets", route="manual")
    with pytest.raises(
        FeedbackRefusedError, match="no team owns the product 'Pets': use reallocate instead of confirm"
    ):
        after(current, any_feedback())
    assert after(current, any_feedback(tasks=("issue",))).route == "manual"


def test_a_complaint_without_an_owner_stays_manual_when_it_is_confirmed():
    confirmed = after(any_allocation(product_team=MANUAL_TEAM, product=None, route="manual"), any_feedback())
    assert (confirmed.product_team, confirmed.route) == (MANUAL_TEAM, "manual")


def test_a_person_sets_and_clears_the_flag():
    protected = after(any_allocation(), any_feedback(kind="set_vulnerable"))
    assert (protected.vulnerable, protected.journey) == (True, "specialist")
    cleared = after(protected, any_feedback(kind="clear_vulnerable", version=2))
    assert (cleared.vulnerable, cleared.journey, cleared.reasons) == (False, "standard", ())


def test_feedback_about_another_version_is_refused():
    with pytest.raises(FeedbackRefusedError, match="about version 1, but the allocation is at version 2"):
        after(any_allocation(version=2), any_feedback())


ISSUE = TAXONOMY.issues_of("Credit card")[0]


@pytest.mark.parametrize(
    ("said", "labels_said"),
    [
        ({"kind": "confirm"}, {"product": "Mortgage", "issue": "Closing on a mortgage"}),
        ({"kind": "reallocate", "product": "Credit card"}, {"product": "Credit card"}),
        (
            {"kind": "reallocate", "product": "Credit card", "issue": ISSUE},
            {"product": "Credit card", "issue": ISSUE},
        ),
        ({"kind": "correct_issue", "issue": "Applying"}, {"product": "Mortgage", "issue": "Applying"}),
        ({"kind": "set_vulnerable"}, {"vulnerable": "vulnerable"}),
        ({"kind": "clear_vulnerable"}, {"vulnerable": "not vulnerable"}),
    ],
    ids=str,
)
def test_feedback_labels_what_it_speaks_of_and_nothing_else(said, labels_said):
    assert labels(any_allocation(vulnerable=True), any_feedback(**said)) == labels_said


def test_what_nobody_had_named_cannot_be_confirmed():
    assert labels(any_allocation(issue=None), any_feedback()) == {"product": "Mortgage"}
    assert labels(any_allocation(product=None, issue=None), any_feedback()) == {}


def test_a_confirmation_labels_the_tasks_that_it_names():
    urgent = any_decision(any_model_reference(task="urgency"), label="urgent")
    allocation = any_allocation(decisions=(urgent,))
    assert labels(allocation, any_feedback(tasks=("issue",))) == {"issue": "Closing on a mortgage"}
    assert labels(allocation, any_feedback(tasks=("urgency",))) == {"urgency": "urgent"}


def test_a_confirmation_of_a_task_that_asks_nobody_is_refused():
    with pytest.raises(FeedbackRefusedError, match=r"confirm takes the tasks product, issue.*, not vulnerable"):
        after(any_allocation(), any_feedback(tasks=("product", "vulnerable")))


KINDS = st.one_of(
    st.sampled_from([{"kind": kind} for kind in ("confirm", "set_vulnerable", "clear_vulnerable")]),
    st.sampled_from([{"kind": "reallocate", "product": product.name} for product in TAXONOMY.products]),
)


@given(st.lists(KINDS, max_size=8), st.sampled_from([None, True, False]))
def test_each_feedback_makes_the_next_version_and_only_a_person_takes_protection_away(said, vulnerable):
    journey = "standard" if vulnerable is False else "specialist"
    current = any_allocation(vulnerable=vulnerable, journey=journey)
    for number, values in enumerate(said, start=1):
        made = after(current, any_feedback(**values, feedback_id=f"f-{number}", version=number))
        assert made.version == number + 1
        if values["kind"] != "clear_vulnerable":
            assert made.journey == "specialist" or current.journey == "standard"
        assert made.product is None or made.product_team == TAXONOMY.team_of(made.product)
        assert made.announcement().version == made.version
        current = made


REASONS = st.sampled_from(
    [
        *(
            f"{task}: {words}"
            for task in ("product", "issue", "vulnerable", "urgency")
            for words in ("confidence below threshold", "no model answered", "Sandbox.Timedout", "another wording")
        ),
        "issue: not one of the product's issues",
        "issue: not named since the re-allocation",
        "vulnerable: said (health)",
        "vulnerable: model",
        "tags are not a list of texts",
        "narrative is empty",
        "selection: States.Timeout",
    ]
)
ALLOCATIONS = st.builds(
    lambda product, issue, reasons: any_allocation(
        product_team=TAXONOMY.team_of(product) if product else MANUAL_TEAM,
        product=product,
        issue=issue,
        vulnerable=None,
        journey="specialist",
        route="review",
        reasons=tuple(reasons),
    ),
    st.sampled_from([None, "Mortgage", "Credit card"]),
    st.sampled_from([None, "Closing on a mortgage", ISSUE]),
    st.lists(REASONS, unique=True, max_size=8),
)
STATEMENTS = st.one_of(
    KINDS,
    st.just({"kind": "reallocate", "product": "Credit card", "issue": ISSUE}),
    st.just({"kind": "correct_issue", "issue": "Closing on a mortgage"}),
    st.lists(st.sampled_from(["product", "issue"]), unique=True, min_size=1).map(lambda tasks: {"tasks": tasks}),
)


@given(ALLOCATIONS, STATEMENTS)
def test_no_feedback_removes_a_reason_of_a_task_that_it_did_not_decide(current, values):
    feedback = any_feedback(**values)
    try:
        made = after(current, feedback)
    except FeedbackRefusedError:
        return
    decided = set(labels(current, feedback))
    for reason in current.reasons:
        if reason.task is None:
            assert reason in made.reasons or decided >= {"product", "issue"}
        elif reason.task == "issue" and feedback.kind == "reallocate" and reason not in made.reasons:
            contradiction_solved = reason.code is Code.FOREIGN_ISSUE and made.issue is not None
            assert "issue" in decided or contradiction_solved or Code.ISSUE_NOT_NAMED in {r.code for r in made.reasons}
        else:
            assert reason in made.reasons or reason.task in decided
    asked = any(reason.asks == "triage" for reason in made.reasons)
    if feedback.kind in ("set_vulnerable", "clear_vulnerable"):
        assert made.route == current.route
    else:
        assert made.route == ("manual" if made.product_team == MANUAL_TEAM else "review" if asked else "auto")
    assert made.journey == "specialist" or feedback.kind == "clear_vulnerable"
