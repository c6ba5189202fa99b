import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOW, any_allocation, any_feedback
from triage.allocation import MANUAL_TEAM
from triage.errors import FeedbackRefusedError
from triage.feedback import Feedback
from triage.reallocation import labels, reallocate
from triage.story import AllocationEntry
from triage.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()


def after(current: AllocationEntry, feedback: Feedback) -> AllocationEntry:
    return reallocate(current, feedback, taxonomy=TAXONOMY, now=NOW, code_version="new")


def test_a_reallocation_moves_the_complaint_to_the_team_of_its_product():
    card = TAXONOMY.product("Credit card")
    moved = after(any_allocation(), any_feedback(kind="reallocate", product=card.name, issue=card.issues[0]))
    assert (moved.product_team, moved.product, moved.issue) == (card.team, card.name, card.issues[0])
    assert (moved.version, moved.decided_by, moved.feedback_id, moved.route) == (2, "person", "f-1", "auto")


def test_an_issue_that_the_new_product_lacks_is_left_to_review():
    moved = after(any_allocation(), any_feedback(kind="reallocate", product="Credit card"))
    assert (moved.issue, moved.route) == (None, "review")
    assert moved.reasons == ("issue: not named since the re-allocation",)


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
    assert confirmed.reasons == ("vulnerable: no model answered",)


def test_a_complaint_without_an_owner_stays_manual_when_it_is_confirmed():
    confirmed = after(any_allocation(product_team=MANUAL_TEAM, product=None, route="manual"), any_feedback())
    assert (confirmed.product_team, confirmed.route) == (MANUAL_TEAM, "manual")


def test_a_person_sets_and_clears_the_flag():
    protected = after(any_allocation(), any_feedback(kind="set_vulnerable"))
    assert (protected.vulnerable, protected.journey) == (True, "specialist")
    cleared = after(protected, any_feedback(kind="clear_vulnerable", version=2))
    assert (cleared.vulnerable, cleared.journey, cleared.reasons) == (False, "standard", ())


def test_feedback_about_another_version_is_refused():
    with pytest.raises(FeedbackRefusedError, match="about version 1 and the allocation is at version 2"):
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
