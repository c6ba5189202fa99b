"""Maps the names of CFPB's forms and database. Some tests read the shared sample, if it is present."""

from itertools import product as combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from training.data.crosswalk import Crosswalk, IssueRule, Label, ProductRule, load_crosswalk
from triage.errors import UnknownNameError
from triage.taxonomy import load_taxonomy

SAMPLE = Path(__file__).parents[4] / "shared/data/cfpb.parquet"
LAST_DAY_OF_THE_OLD_FORM = "2023-08-24"

CARD = "Credit card"
CHECKING = "Checking or savings account"
DEBT = "Debt collection"
MANAGEMENT = "Debt or credit management"
MONEY = "Money transfer, virtual currency, or money service"
PERSONAL = "Payday loan, title loan, personal loan, or advance loan"
PREPAID = "Prepaid card"
REPORTS = "Credit reporting or other personal consumer reports"
STUDENT = "Student loan"
VEHICLE = "Vehicle loan or lease"

FORM_OF_2011 = {
    "Bank account or service": (
        (
            "(CD) Certificate of deposit",
            "Cashing a check without an account",
            "Checking account",
            "Other bank product/service",
            "Savings account",
        ),
        (
            "Account opening, closing, or management",
            "Deposits and withdrawals",
            "Making/receiving payments, sending money",
            "Problems caused by my funds being low",
            "Using a debit or ATM card",
        ),
    ),
    "Credit card": (
        (None,),
        (
            "APR or interest rate",
            "Advertising and marketing",
            "Application processing delay",
            "Arbitration",
            "Balance transfer",
            "Balance transfer fee",
            "Bankruptcy",
            "Billing disputes",
            "Billing statement",
            "Cash advance",
            "Cash advance fee",
            "Closing/Cancelling account",
            "Collection debt dispute",
            "Collection practices",
            "Convenience checks",
            "Credit card protection / Debt protection",
            "Credit determination",
            "Credit line increase/decrease",
            "Credit reporting",
            "Customer service / Customer relations",
            "Delinquent account",
            "Forbearance / Workout plans",
            "Identity theft / Fraud / Embezzlement",
            "Late fee",
            "Other",
            "Other fee",
            "Overlimit fee",
            "Payoff process",
            "Privacy",
            "Rewards",
            "Sale of account",
            "Transaction issue",
            "Unsolicited issuance of credit card",
        ),
    ),
    "Consumer Loan": (
        (
            None,
            "Installment loan",
            "Pawn loan",
            "Personal line of credit",
            "Title loan",
            "Vehicle lease",
            "Vehicle loan",
        ),
        (
            "Account terms and changes",
            "Lender damaged or destroyed vehicle",
            "Lender repossessed or sold the vehicle",
            "Managing the loan or lease",
            "Problems when you are unable to pay",
            "Shopping for a loan or lease",
            "Taking out the loan or lease",
        ),
    ),
    "Credit reporting": (
        (None,),
        (
            "Credit monitoring or identity protection",
            "Credit reporting company's investigation",
            "Improper use of my credit report",
            "Incorrect information on credit report",
            "Unable to get credit report/credit score",
        ),
    ),
    "Debt collection": (
        (
            "Auto",
            "Credit card",
            "Federal student loan",
            "I do not know",
            "Medical",
            "Mortgage",
            "Non-federal student loan",
            "Other (i.e. phone, health club, etc.)",
            "Payday loan",
        ),
        (
            "Communication tactics",
            "Cont'd attempts collect debt not owed",
            "Disclosure verification of debt",
            "False statements or representation",
            "Improper contact or sharing of info",
            "Taking/threatening an illegal action",
        ),
    ),
    "Money transfers": (
        ("Domestic (US) money transfer", "International money transfer"),
        (
            "Fraud or scam",
            "Incorrect exchange rate",
            "Incorrect/missing disclosures or info",
            "Money was not available when promised",
            "Other service issues",
            "Other transaction issues",
            "Wrong amount charged or received",
        ),
    ),
    "Mortgage": (
        (
            "Conventional adjustable mortgage (ARM)",
            "Conventional fixed mortgage",
            "FHA mortgage",
            "Home equity loan or line of credit",
            "Other mortgage",
            "Reverse mortgage",
            "Second mortgage",
            "VA mortgage",
        ),
        (
            "Application, originator, mortgage broker",
            "Credit decision / Underwriting",
            "Loan modification,collection,foreclosure",
            "Loan servicing, payments, escrow account",
            "Other",
            "Settlement process and costs",
        ),
    ),
    "Other financial service": (
        (
            "Check cashing",
            "Credit repair",
            "Debt settlement",
            "Foreign currency exchange",
            "Money order",
            "Refund anticipation check",
            "Traveler’s/Cashier’s checks",  # noqa: RUF001  # as published
        ),
        (
            "Advertising and marketing",
            "Customer service/Customer relations",
            "Disclosures",
            "Excessive fees",
            "Fraud or scam",
            "Unexpected/Other fees",
        ),
    ),
    "Payday loan": (
        (None, "Payday loan"),
        (
            "Applied for loan/did not receive money",
            "Can't contact lender",
            "Can't stop charges to bank account",
            "Charged bank acct wrong day or amt",
            "Charged fees or interest I didn't expect",
            "Payment to acct not credited",
            "Received a loan I didn't apply for",
        ),
    ),
    "Prepaid card": (
        (
            "Electronic Benefit Transfer / EBT card",
            "General purpose card",
            "Gift or merchant card",
            "Government benefit payment card",
            "ID prepaid card",
            "Mobile wallet",
            "Other special purpose card",
            "Payroll card",
            "Transit card",
        ),
        (
            "Adding money",
            "Advertising, marketing or disclosures",
            "Fees",
            "Fraud or scam",
            "Managing, opening, or closing account",
            "Overdraft, savings or rewards features",
            "Unauthorized transactions/trans. issues",
        ),
    ),
    "Student loan": (
        ("Federal student loan servicing", "Non-federal student loan"),
        (
            "Can't pay my loan",
            "Can't repay my loan",
            "Dealing with my lender or servicer",
            "Getting a loan",
            "Problems when you are unable to pay",
            "Repaying your loan",
        ),
    ),
    "Virtual currency": (
        (None, "Domestic (US) money transfer", "International money transfer"),
        ("Fraud or scam", "Money was not available when promised", "Other service issues", "Other transaction issues"),
    ),
}
"""Sub-products and issues of each product until April 2017, as far as every sub-product had the issue."""

ONE_NAME_OF_EACH_KIND = [
    (("Bank account or service", "Checking account", "Using a debit or ATM card"), (CHECKING, "Managing an account")),
    (("Consumer Loan", "Vehicle loan", "Managing the loan or lease"), (VEHICLE, "Managing the loan or lease")),
    (("Consumer Loan", "Installment loan", "Managing the loan or lease"), (PERSONAL, "Problem when making payments")),
    (("Consumer Loan", None, "Shopping for a line of credit"), (PERSONAL, "Getting a line of credit")),
    (("Consumer Loan", None, "Shopping for a loan or lease"), (VEHICLE, "Getting a loan or lease")),
    (("Consumer Loan", "Vehicle loan", "Lender repossessed or sold the vehicle"), (VEHICLE, "Repossession")),
    (("Credit card", None, "Identity theft / Fraud / Embezzlement"), (CARD, "Problem with a purchase shown on your statement")),  # noqa: E501
    (("Credit card or prepaid card", "Store credit card", "Fees or interest"), (CARD, "Fees or interest")),
    (("Credit card or prepaid card", "Gift card", "Trouble using the card"), (PREPAID, "Trouble using the card")),
    (("Credit card or prepaid card", None, "Trouble using the card"), (PREPAID, "Trouble using the card")),
    (("Credit card or prepaid card", None, "Trouble using your card"), (CARD, "Trouble using your card")),
    (("Credit reporting, credit repair services, or other personal consumer reports", "Credit repair services", "Unexpected or other fees"), (MANAGEMENT, "Charged upfront or unexpected fees")),  # noqa: E501
    (("Credit reporting, credit repair services, or other personal consumer reports", "Credit reporting", "Problem with a credit reporting company's investigation into an existing problem"), (REPORTS, "Problem with a company's investigation into an existing problem")),  # noqa: E501
    ((MONEY, "Debt settlement", "Fraud or scam"), (MANAGEMENT, "Didn't provide services promised")),
    ((MONEY, "Refund anticipation check", "Unexpected or other fees"), (PERSONAL, "Unexpected fees")),
    ((MONEY, "Traveler's check or cashier's check", "Lost or stolen check"), (MONEY, "Lost or stolen money order")),
    (("Other financial service", "Debt settlement", "Excessive fees"), (MANAGEMENT, "Charged upfront or unexpected fees")),  # noqa: E501
    (("Other financial service", "Check cashing", "Excessive fees"), (MONEY, "Unexpected or other fees")),
    (("Payday loan", None, "Can't stop charges to bank account"), (PERSONAL, "Can't stop withdrawals from your bank account")),  # noqa: E501
    (("Prepaid card", "Mobile wallet", "Adding money"), (MONEY, "Problem adding money")),
    (("Prepaid card", "Payroll card", "Adding money"), (PREPAID, "Trouble using the card")),
    (("Student loan", "Non-federal student loan", "Repaying your loan"), (STUDENT, "Dealing with your lender or servicer")),  # noqa: E501
    ((VEHICLE, "Title loan", "Getting a loan or lease"), (PERSONAL, "Getting the loan")),
    (("Virtual currency", None, "Other transaction issues"), (MONEY, "Other transaction problem")),
]  # fmt: skip


def any_rules(**values):
    rule = {"to": "Mortgage", "reason": "renamed", "products": ("Home loan",)}
    names = {"sub_products": (), "sub_issues": ()}
    default = {"version": "1", "taxonomy": load_taxonomy().version, "products": (rule,), "issues": (), "names": names}
    return {**default, **values}


Names = tuple[str, str | None, str, str | None]


def sampled_names() -> set[tuple[str, Names]]:
    """Yield day and (product, sub-product, issue, sub-issue) of every real complaint."""
    parquet = pytest.importorskip("pyarrow.parquet")
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not beside the repository")
    columns = ["date_received", "product", "sub_product", "issue", "sub_issue"]
    rows = (row.values() for row in parquet.read_table(SAMPLE, columns=columns).to_pylist())
    return {(day, (product, sub_product, issue, sub_issue)) for day, product, sub_product, issue, sub_issue in rows}


def label_of(product: str, sub_product: str | None, issue: str, sub_issue: str | None = None) -> Label:
    return load_crosswalk().label(product, sub_product=sub_product, issue=issue, sub_issue=sub_issue)


def test_a_label_of_the_taxonomy_stays_as_it_is():
    for product in load_taxonomy().products:
        for issue in product.issues:
            assert label_of(product.name, None, issue) == Label(product=product.name, issue=issue)


@pytest.mark.parametrize("product", FORM_OF_2011)
def test_every_name_of_the_first_form_is_a_label_now(product):
    sub_products, issues = FORM_OF_2011[product]
    for sub_product, issue in combinations(sub_products, issues):
        label = label_of(product, sub_product, issue)
        assert load_taxonomy().has_issue(label.product, label.issue), (sub_product, issue)


@pytest.mark.parametrize(("names", "expected"), ONE_NAME_OF_EACH_KIND)
def test_an_older_name_is_read_as(names, expected):
    assert label_of(*names) == Label(product=expected[0], issue=expected[1])


@pytest.mark.parametrize(
    ("names", "sub_issue", "expected", "otherwise"),
    [
        (
            ("Debt collection", "Medical", "Communication tactics"),
            "Threatened to take legal action",
            "Took or threatened to take negative or legal action",
            "Communication tactics",
        ),
        (
            ("Credit reporting", None, "Credit monitoring or identity protection"),
            "Problem with fraud alerts",
            "Problem with fraud alerts or security freezes",
            "Credit monitoring or identity theft protection services",
        ),
        (
            ("Vehicle loan or lease", "Loan", "Struggling to pay your loan"),
            "Lender trying to repossess or disable the vehicle",
            "Repossession",
            "Struggling to pay your loan",
        ),
    ],
)
def test_a_sub_issue_decides_if_the_issue_became_several(names, sub_issue, expected, otherwise):
    product, sub_product, issue = names
    assert label_of(product, sub_product, issue, sub_issue).issue == expected
    assert label_of(product, sub_product, issue).issue == otherwise


def test_product_and_issue_are_the_halves_of_a_label():
    crosswalk = load_crosswalk()
    names = ("Prepaid card", "Mobile wallet", "Fees")
    assert crosswalk.product(*names) == label_of(*names).product == MONEY
    assert crosswalk.issue(*names) == label_of(*names).issue == "Unexpected or other fees"


@pytest.mark.parametrize("absent", [None, "", "NA", "N/A", "None", "nan"])
def test_an_absent_name_is_written_in_many_ways(absent):
    assert label_of("Credit card", absent, "Rewards", absent).issue == "Other features, terms, or problems"


def test_case_spaces_and_apostrophes_do_not_matter():
    label = label_of("consumer loan", "Pawn  Loan", "Charged fees or interest I didn’t expect ")  # noqa: RUF001
    assert label == Label(product=PERSONAL, issue="Charged fees or interest you didn't expect")


@pytest.mark.parametrize(
    ("names", "field", "value", "nearest"),
    [
        (("Mortgages", None, "Other"), "product", "Mortgages", "'Mortgage'"),
        (("Mortgage", "VA mortgages", "Other"), "sub_product", "VA mortgages", "'VA mortgage'"),
        (("Mortgage", None, "Closing a mortgage"), "issue", "Closing a mortgage", "'Closing on a mortgage'"),
        (("Mortgage", None, "Other", "Foreclosures"), "sub_issue", "Foreclosures", "'Foreclosure'"),
        (("", None, "Other"), "product", "", "''"),
    ],
)
def test_an_unknown_name_is_refused_with_field_value_and_the_nearest(names, field, value, nearest):
    product, sub_product, issue, *sub_issue = names
    with pytest.raises(UnknownNameError, match=f"{field} '{value}' is unknown") as caught:
        label_of(product, sub_product, issue, *sub_issue)
    assert (caught.value.field, caught.value.value) == (field, value)
    assert value == "" or nearest in str(caught.value)


def test_an_issue_of_another_product_is_unknown():
    with pytest.raises(UnknownNameError, match="issue 'Repossession' is unknown under 'Mortgage'"):
        label_of("Mortgage", None, "Repossession")


@given(product=st.text(), issue=st.text(), sub_product=st.text(), sub_issue=st.text())
def test_any_names_are_either_a_label_or_refused(product, issue, sub_product, sub_issue):
    try:
        label = label_of(product, sub_product, issue, sub_issue)
    except UnknownNameError as error:
        assert error.field in {"product", "sub_product", "issue", "sub_issue"}
    else:
        assert load_taxonomy().has_issue(label.product, label.issue)


@pytest.mark.parametrize("rule", load_crosswalk().products, ids=lambda rule: rule.to)
def test_every_product_rule_decides_what_it_lists(rule):
    for names in combinations(rule.products, rule.sub_products or (None,), rule.issues or (None,)):
        assert load_crosswalk().product(*names) == rule.to


@pytest.mark.parametrize("rule", load_crosswalk().issues, ids=lambda rule: rule.issues[0])
def test_every_issue_rule_decides_what_it_lists(rule):
    for under, issue, sub_issue in combinations(rule.conditions[0], rule.issues, rule.sub_issues or (None,)):
        assert label_of(under, None, issue, sub_issue) == Label(product=under, issue=rule.to)


def test_a_rule_behind_a_more_general_one_is_refused():
    general = {"to": "Mortgage", "reason": "renamed", "products": ("Home loan",)}
    specific = {**general, "to": "Student loan", "sub_products": ("Campus",)}
    assert Crosswalk.model_validate(any_rules(products=(specific, general)))
    with pytest.raises(ValidationError, match="rule to 'Student loan' is never reached: the one to 'Mortgage' covers"):
        Crosswalk.model_validate(any_rules(products=(general, specific)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"taxonomy": "2017-04-24"}, "maps to taxonomy 2017-04-24, but this code has taxonomy 2023-08-24"),
        ({"products": ({"to": "Yacht", "reason": "new", "products": ("Boat",)},)}, "taxonomy"),
        ({"products": ({"to": "Mortgage", "products": ("Home loan",)},)}, "reason"),
        ({"issues": ({"to": "Repossession", "under": ("Mortgage",), "issues": ("A",), "reason": "-"},)},
         "not an issue of"),
    ],
)  # fmt: skip
def test_rules_that_do_not_lead_into_the_taxonomy_are_refused(values, message):
    with pytest.raises((ValidationError, LookupError), match=message):
        Crosswalk.model_validate(any_rules(**values))


def test_every_reason_is_short():
    rules: tuple[ProductRule | IssueRule, ...] = (*load_crosswalk().products, *load_crosswalk().issues)
    assert max(len(rule.reason) for rule in rules) <= 120


def test_every_real_complaint_has_a_label():
    for names in {names for _, names in sampled_names()}:
        label = label_of(*names)
        assert load_taxonomy().has_issue(label.product, label.issue)


def test_real_complaints_on_the_form_of_2023_keep_their_names():
    recent = [names for day, names in sampled_names() if day > LAST_DAY_OF_THE_OLD_FORM]
    assert {(names[0], names[2]) for names in recent} == {
        (label.product, label.issue) for label in (label_of(*names) for names in recent)
    }
