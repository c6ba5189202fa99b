"""Tests that read the shared sample of real complaints are skipped if it is absent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triage.errors import UnknownProductError
from triage.taxonomy import Product, Taxonomy, load_taxonomy

SAMPLE = Path(__file__).parents[3] / "shared/data/cfpb.parquet"
LAST_DAY_OF_THE_OLD_FORM = "2023-08-24"
CREDIT_REPORT_ISSUES = {
    "Credit monitoring or identity theft protection services",
    "Improper use of your report",
    "Incorrect information on your report",
    "Problem with a company's investigation into an existing problem",
    "Problem with fraud alerts or security freezes",
    "Unable to get your credit report or credit score",
}


def any_product(name: str = "Mortgage", team: str = "mortgage", issues: tuple[str, ...] = ("Closing",)) -> Product:
    return Product(name=name, team=team, issues=issues)


def sampled_pairs() -> set[tuple[str, str]]:
    """Yield (product, issue) of every real complaint on the form of August 2023."""
    parquet = pytest.importorskip("pyarrow.parquet")
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not beside the repository")
    rows = parquet.read_table(SAMPLE, columns=["date_received", "product", "issue"]).to_pylist()
    return {(row["product"], row["issue"]) for row in rows if row["date_received"] > LAST_DAY_OF_THE_OLD_FORM}


def test_the_eleven_products_of_the_form_each_have_a_team_of_their_own():
    taxonomy = load_taxonomy()
    assert len(taxonomy.products) == len(set(taxonomy.teams)) == 11


def test_all_89_issues_of_the_form_are_labels():
    assert len({issue for product in load_taxonomy().products for issue in product.issues}) == 89


def test_a_product_leads_to_its_team_and_issues():
    taxonomy = load_taxonomy()
    assert taxonomy.team_of("Credit card") == "credit-card"
    assert "Fees or interest" in taxonomy.issues_of("Credit card")
    assert taxonomy.product("Credit card").issues == taxonomy.issues_of("Credit card")


def test_an_issue_is_a_label_only_under_its_product():
    taxonomy = load_taxonomy()
    assert taxonomy.has_issue("Vehicle loan or lease", "Repossession")
    assert not taxonomy.has_issue("Mortgage", "Repossession")
    assert not taxonomy.has_issue("Yacht loan", "Repossession")


def test_credit_report_issues_are_labels_of_every_product_reported_to_the_bureaus():
    holders = {product.team for product in load_taxonomy().products if set(product.issues) >= CREDIT_REPORT_ISSUES}
    assert holders == {
        "checking-savings",
        "credit-card",
        "credit-reporting",
        "mortgage",
        "personal-loan",
        "student-loan",
        "vehicle-loan",
    }


def test_an_unknown_product_is_refused_with_the_nearest_name():
    with pytest.raises(
        UnknownProductError, match="did you mean 'Payday loan, title loan, personal loan, or advance loan'"
    ):
        load_taxonomy().product("Payday loan, title loan, or personal loan")


def test_a_product_like_no_other_is_refused_with_all_names():
    with pytest.raises(LookupError, match=r"2023-08-24 has no product '\?\?'; it lists: .*Mortgage"):
        load_taxonomy().team_of("??")


def test_a_taxonomy_is_closed_and_frozen():
    with pytest.raises(ValidationError, match="crosswalk"):
        Taxonomy.model_validate({"version": "1", "products": [any_product()], "crosswalk": {}})
    with pytest.raises(ValidationError, match="frozen"):
        load_taxonomy().version = "2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("products", "message"),
    [
        ((any_product(), any_product(team="other")), "product listed twice: Mortgage"),
        ((any_product(), any_product(name="Other")), "team listed twice: mortgage"),
        ((), "at least 1 item"),
    ],
)
def test_an_ambiguous_taxonomy_is_refused(products, message):
    with pytest.raises(ValidationError, match=message):
        Taxonomy(version="1", products=products)


def test_an_issue_listed_twice_is_refused():
    with pytest.raises(ValidationError, match="issue of 'Mortgage' listed twice: Closing"):
        any_product(issues=("Closing", "Closing"))


@pytest.mark.parametrize("team", ["Mortgage", "mort gage", "-mortgage", ""])
def test_a_team_is_a_slug(team):
    with pytest.raises(ValidationError, match="team"):
        any_product(team=team)


@given(st.text())
def test_a_name_is_either_a_product_or_refused(name):
    taxonomy = load_taxonomy()
    if name in {product.name for product in taxonomy.products}:
        assert taxonomy.product(name).name == name
    else:
        with pytest.raises(UnknownProductError):
            taxonomy.product(name)


def test_every_recent_product_of_the_real_sample_is_listed():
    assert {product for product, _ in sampled_pairs()} <= {product.name for product in load_taxonomy().products}


def test_every_recent_label_of_the_real_sample_is_listed():
    assert not {pair for pair in sampled_pairs() if not load_taxonomy().has_issue(*pair)}
