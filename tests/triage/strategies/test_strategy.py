from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chi2_contingency, chisquare

from tests.factories import any_arm, any_revision, any_strategy
from triage.errors import StrategyRefusedError
from triage.strategies.strategy import BUCKETS, Strategy, assign, bucket_of, check_arms, sample

SUBJECTS = tuple(f"customer-{number}" for number in range(200_000))
UNLIKELY = 1e-6
"""The ids are fixed, so these tests cannot flicker; a share that is wrong by 1 % lies far below."""

NAMES = st.text("abcxyz", min_size=1, max_size=5)
SHARES = st.lists(NAMES, min_size=1, max_size=5, unique=True).flatmap(
    lambda names: st.lists(st.integers(0, BUCKETS), min_size=len(names) - 1, max_size=len(names) - 1).map(
        lambda cuts: dict(
            zip(names, (b - a for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), BUCKETS], strict=True)), strict=True)
        )
    )
)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"kind": "canary"}, "several"),
        ({"champion": "nobody"}, "not among the arms"),
        ({"arms": ()}, "at least 1"),
        ({"arms": (any_arm(share=9_999),)}, "9999"),
        ({"kind": "mirror"}, "kind"),
        ({"kind": "shadow"}, "at least one of `shadows`"),
        ({"kind": "single", "shadows": (any_arm("next", share=1),)}, "use the kind shadow"),
        ({"kind": "shadow", "shadows": (any_arm("next", share=1),), "arms": (any_arm(share=9_999),)}, "9999"),
        ({"kind": "shadow", "shadows": (any_arm(share=1, revision=any_revision("b")),)}, "same name"),
        (
            {"kind": "shadow", "shadows": (any_arm("b", model_id="acme/champion", revision=any_revision("champion")),)},
            "same model version",
        ),
        (
            {
                "kind": "shadow",
                "arms": (any_arm(share=9_000), any_arm("b", share=1_000)),
                "shadows": (any_arm("c", share=1),),
            },
            "shadow strategy has one arm",
        ),
        ({"experiment": ""}, "experiment"),
        ({"ends_at": "2026-03-02T09:30:00Z"}, "not allowed for others"),
        (
            {"kind": "ab", "arms": (any_arm(share=5_000), any_arm("b", share=5_000))},
            "`ends_at` is required for the kind ab",
        ),
        (
            {"kind": "canary", "arms": (any_arm(share=9_998), any_arm("b", share=1), any_arm("c", share=1))},
            "one challenger",
        ),
        ({"gates": {"claim": "non_inferiority"}}, "`brings` is required for non_inferiority"),
        ({"schedule": {"steps": (500, 100)}}, "wider"),
        ({"task": "Product"}, "task"),
        ({"winner": "champion"}, "winner"),
    ],
)
def test_an_inconsistent_strategy_is_refused(values, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Strategy(**{**any_strategy().model_dump(), **values})


@pytest.mark.parametrize(
    ("arms", "complaint"),
    [
        ((any_arm(share=5_000), any_arm(share=5_000, revision=any_revision("b"))), "same name"),
        (
            (
                any_arm(share=5_000),
                any_arm("b", share=5_000, model_id="acme/champion", revision=any_revision("champion")),
            ),
            "same model version",
        ),
        ((any_arm(share=9_000), any_arm("b", share=999)), "9999"),
        ((any_arm(share=9_001), any_arm("b", share=1_000)), "10001"),
    ],
)
def test_arms_that_cannot_share_the_traffic_are_refused(arms, complaint):
    with pytest.raises(ValidationError, match=complaint):
        any_strategy(kind="ab", arms=arms)


@pytest.mark.parametrize(
    "values",
    [
        {"share": -1},
        {"share": 10_001},
        {"share": 0.5},
        {"revision": "main"},
        {"revision": any_revision()[:39]},
        {"revision": any_revision().upper()},
        {"model_id": "no-organisation"},
        {"model_id": "acme/../secrets"},
        {"model_id": "acme/model\n"},
        {"weight": 1},
    ],
)
def test_an_arm_names_an_exact_version_and_a_share(values):
    with pytest.raises(ValidationError):
        any_arm(**values)


@given(SHARES, st.text(max_size=20))
def test_assignment_is_a_pure_function(shares, subject):
    strategy = any_strategy(shares)
    again = Strategy.model_validate_json(strategy.model_dump_json())
    assert assign(strategy, subject) == assign(again, subject)


@given(SHARES, st.randoms(use_true_random=False), st.lists(st.text(max_size=10), max_size=20))
def test_the_order_of_the_arms_changes_nothing(shares, random, subjects):
    strategy = any_strategy(shares)
    arms = list(strategy.arms)
    random.shuffle(arms)
    shuffled = strategy.model_copy(update={"arms": tuple(arms)})
    assert [assign(strategy, subject) for subject in subjects] == [assign(shuffled, subject) for subject in subjects]


@given(SHARES, st.lists(st.text(max_size=10), max_size=20))
def test_an_arm_without_a_share_answers_nobody(shares, subjects):
    assert all(assign(any_strategy(shares), subject).arm.share > 0 for subject in subjects)


@pytest.mark.parametrize(
    "shares",
    [{"champion": 9_000, "challenger": 1_000}, {"a": 5_000, "b": 3_000, "c": 2_000}, {"a": 9_900, "b": 1, "c": 99}],
    ids=["90/10", "50/30/20", "rare"],
)
def test_the_delivered_shares_are_the_intended_ones(shares):
    strategy = any_strategy(shares)
    delivered = Counter(assign(strategy, subject).arm.name for subject in SUBJECTS)
    expected = [share * len(SUBJECTS) / BUCKETS for share in shares.values()]
    assert chisquare([delivered[name] for name in shares], expected).pvalue > UNLIKELY


def test_arms_own_contiguous_buckets_from_zero_on_and_the_champion_the_rest():
    strategy = any_strategy({"champion": 7_000, "b": 2_000, "c": 1_000})
    dealt = {assign(strategy, subject) for subject in SUBJECTS[:100_000]}
    owned = {
        name: {assignment.bucket for assignment in dealt if assignment.arm.name == name}
        for name in ("b", "c", "champion")
    }
    assert owned == {"b": set(range(2_000)), "c": set(range(2_000, 3_000)), "champion": set(range(3_000, BUCKETS))}


def test_a_canary_that_widens_only_adds():
    narrow, wide = (any_strategy({"champion": BUCKETS - share, "challenger": share}) for share in (1_000, 2_500))

    def reached(strategy: Strategy) -> set[str]:
        return {subject for subject in SUBJECTS[:20_000] if assign(strategy, subject).arm.name == "challenger"}

    assert reached(narrow) < reached(wide)


def test_two_experiments_are_independent_of_each_other():
    one, other = (
        any_strategy({"champion": 5_000, "challenger": 5_000}, experiment=experiment) for experiment in ("one", "other")
    )
    seen = Counter((assign(one, subject).arm.name, assign(other, subject).arm.name) for subject in SUBJECTS[:50_000])
    names = ("champion", "challenger")
    assert chi2_contingency([[seen[a, b] for b in names] for a in names]).pvalue > UNLIKELY


def test_another_salt_assigns_again():
    buckets = [[bucket_of("first", salt, subject) for subject in SUBJECTS[:100]] for salt in ("", "again")]
    assert buckets[0] != buckets[1]


@pytest.mark.parametrize("changed", [{"experiment": "a|b"}, {"salt": "b|"}])
def test_the_separator_is_refused_so_that_experiments_that_differ_deal_differently(changed):
    document = any_strategy({"champion": BUCKETS}).model_dump()
    with pytest.raises(ValidationError, match=r"characters.* without \|"):
        Strategy.model_validate({**document, **changed})


@given(st.text(), st.text(), st.text())
def test_a_bucket_is_a_basis_point(experiment, salt, subject):
    assert 0 <= bucket_of(experiment, salt, subject) < BUCKETS


def test_any_subject_that_a_complaint_can_have_gets_a_bucket():
    assert bucket_of("first", "", "\ud800") >= 0


def sampled(strategy: Strategy, subject: str) -> set[str]:
    return {assignment.arm.name for assignment in sample(strategy, subject)}


@pytest.mark.parametrize("shadows", [{"next": 2_500}, {"a": 100, "b": 5_000, "c": 9_900}], ids=["one", "three"])
def test_shadows_are_sampled_at_their_shares(shadows):
    strategy = any_strategy(shadows=shadows)
    delivered = Counter(name for subject in SUBJECTS for name in sampled(strategy, subject))
    for name, share in shadows.items():
        expected = share * len(SUBJECTS) / BUCKETS
        observed = [delivered[name], len(SUBJECTS) - delivered[name]]
        assert chisquare(observed, [expected, len(SUBJECTS) - expected]).pvalue > UNLIKELY


@given(st.integers(0, BUCKETS), st.lists(st.text(max_size=10), max_size=20))
def test_shadows_change_nothing_about_who_answers(share, subjects):
    shares = {"champion": 6_000, "challenger": 4_000}
    alone, beside = any_strategy(shares), any_strategy(shares, shadows={"next": share})
    assert [assign(alone, subject) for subject in subjects] == [assign(beside, subject) for subject in subjects]


@given(st.text(max_size=20), st.integers(0, BUCKETS))
def test_the_champion_of_a_shadow_strategy_answers_all(subject, share):
    assert assign(any_strategy(shadows={"next": share}), subject).arm.name == "champion"


@given(
    st.dictionaries(NAMES, st.integers(0, BUCKETS), min_size=1, max_size=4),
    st.integers(0, BUCKETS),
    st.lists(st.text(max_size=10), max_size=30),
)
def test_no_id_leaves_a_shadow_that_widens_and_no_other_shadow_notices(shadows, more, subjects):
    first = min(shadows)
    wider = {**shadows, first: min(BUCKETS, shadows[first] + more)}
    for subject in subjects:
        before, after = (sampled(any_strategy(shadows=each), subject) for each in (shadows, wider))
        assert before <= after <= before | {first}


@given(
    st.dictionaries(NAMES, st.integers(0, BUCKETS), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.lists(st.text(max_size=10), max_size=20),
)
def test_the_order_of_the_shadows_changes_nothing(shadows, random, subjects):
    names = list(shadows)
    random.shuffle(names)
    one, other = any_strategy(shadows=shadows), any_strategy(shadows={name: shadows[name] for name in names})
    assert [sample(one, subject) for subject in subjects] == [sample(other, subject) for subject in subjects]


def test_a_shadow_without_a_share_is_never_sampled_and_one_with_all_always():
    strategy = any_strategy(shadows={"none": 0, "all": BUCKETS})
    assert all(sampled(strategy, subject) == {"all"} for subject in SUBJECTS[:1_000])


def test_two_shadows_are_sampled_independently_of_each_other_and_of_the_arms():
    strategy = any_strategy({"champion": 5_000, "challenger": 5_000}, shadows={"a": 5_000, "b": 5_000})
    seen = Counter(
        (assign(strategy, subject).arm.name, "a" in names, "b" in names)
        for subject in SUBJECTS[:50_000]
        for names in [sampled(strategy, subject)]
    )
    cells = [seen[arm, a, b] for arm in ("champion", "challenger") for a in (True, False) for b in (True, False)]
    assert chisquare(cells).pvalue > UNLIKELY


def test_the_same_shadow_of_two_experiments_is_sampled_independently():
    one, other = (any_strategy(shadows={"next": 5_000}, experiment=experiment) for experiment in ("one", "other"))
    seen = Counter((bool(sample(one, subject)), bool(sample(other, subject))) for subject in SUBJECTS[:50_000])
    assert chi2_contingency([[seen[a, b] for b in (True, False)] for a in (True, False)]).pvalue > UNLIKELY


def test_shadows_must_be_active_for_the_task_too():
    strategy = any_strategy(shadows={"next": 100})
    with pytest.raises(StrategyRefusedError, match=r"'next'.*not active for product"):
        check_arms(strategy, frozenset({("product", any_arm().model_id, any_arm().revision)}))


def test_arms_must_be_active_for_the_task():
    strategy = any_strategy({"champion": 9_000, "challenger": 1_000})
    versions = [(arm.model_id, arm.revision) for arm in strategy.arms]
    check_arms(strategy, frozenset(("product", *version) for version in versions))
    with pytest.raises(StrategyRefusedError, match=r"'challenger'.*not active for product"):
        check_arms(strategy, frozenset({("product", *versions[0]), ("issue", *versions[1])}))
