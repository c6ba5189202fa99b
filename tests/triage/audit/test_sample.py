import pytest

from triage.audit.sample import drawn


def test_a_repeated_execution_draws_the_same_complaints():
    first, second = ([drawn(str(number), 0.3) for number in range(200)] for _ in range(2))
    assert first == second
    assert {one is None for one in first} == {True, False}


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_about_the_stated_share_is_drawn_and_says_so(share):
    found = [one for number in range(20_000) if (one := drawn(f"C-{number}", share)) is not None]
    # Five standard deviations.
    assert abs(len(found) / 20_000 - share) < 5 * (share * (1 - share) / 20_000) ** 0.5
    assert {(one.stratum, one.inclusion) for one in found} == {("random", share)}


def test_a_larger_share_only_adds_complaints():
    ids = [str(number) for number in range(500)]
    assert {one for one in ids if drawn(one, 0.1)} <= {one for one in ids if drawn(one, 0.2)}


@pytest.mark.parametrize("complaint_id", ["", "\ud800", "\N{SNOWMAN}"])
def test_any_id_can_be_drawn(complaint_id):
    assert drawn(complaint_id, 1.0)
