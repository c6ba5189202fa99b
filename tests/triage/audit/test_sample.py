import pytest

from tests.factories import any_decision, any_model_reference
from triage.audit.sample import drawn, stratum_of

ORDINARY = "mortgage/auto/standard"


def test_a_repeated_execution_draws_the_same_complaints():
    first, second = ([drawn(str(number), ORDINARY, 0.3) for number in range(200)] for _ in range(2))
    assert first == second
    assert {one is None for one in first} == {True, False}


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_about_the_stated_share_is_drawn_and_says_so(share):
    found = [one for number in range(20_000) if (one := drawn(f"C-{number}", ORDINARY, share)) is not None]
    # Five standard deviations.
    assert abs(len(found) / 20_000 - share) < 5 * (share * (1 - share) / 20_000) ** 0.5
    assert {(one.stratum, one.inclusion) for one in found} == {(ORDINARY, share)}


def test_a_larger_share_only_adds_complaints():
    ids = [str(number) for number in range(500)]
    assert {one for one in ids if drawn(one, ORDINARY, 0.1)} <= {one for one in ids if drawn(one, ORDINARY, 0.2)}


@pytest.mark.parametrize("complaint_id", ["", "\ud800", "\N{SNOWMAN}"])
def test_any_id_can_be_drawn(complaint_id):
    assert drawn(complaint_id, ORDINARY, 1.0)


def test_what_is_vulnerable_or_has_no_team_is_drawn_three_times_as_often_and_says_so():
    for stratum in ("mortgage/auto/specialist", "manual-triage/manual/standard", "manual-triage/manual/specialist"):
        found = drawn("7", stratum, 1.0)
        assert found is not None and found.stratum == stratum
        ids = [f"C-{number}" for number in range(20_000)]
        often = [one for complaint in ids if (one := drawn(complaint, stratum, 0.02)) is not None]
        assert {one.inclusion for one in often} == {0.06}
        assert abs(len(often) / 20_000 - 0.06) < 0.01
        assert {one for one in ids if drawn(one, ORDINARY, 0.02)} <= {one for one in ids if drawn(one, stratum, 0.02)}


def test_nothing_is_drawn_more_often_than_always():
    found = drawn("7", "mortgage/auto/specialist", 0.5)
    assert found is not None and found.inclusion == 1.0


def test_a_stratum_names_the_arms_that_answered():
    decisions = [any_decision(any_model_reference(task=task, arm=arm)) for task, arm in ARMS.items()]
    assert stratum_of("mortgage", "auto", "standard", decisions) == "mortgage/auto/standard/issue:b/product:a"


ARMS = {"product": "a", "issue": "b", "vulnerable": None}
