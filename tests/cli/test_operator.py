"""Who acts is what AWS or the operating system says, and no variable of the shell."""

import os
import pwd

import pytest
from pydantic import ValidationError

from cli.aws.deployment import Deployment, local_user
from tests.factories import any_feedback
from triage.audit.hold import HoldRequest
from triage.validation import problems

VARIABLES = ("TRIAGE_OPERATOR", "USER", "LOGNAME", "LNAME", "USERNAME")


@pytest.fixture(autouse=True)
def shell_says_eve(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "eve")


def test_on_aws_whoever_acts_is_the_caller_that_sts_names(aws):
    caller = aws.client("sts").get_caller_identity()["Arn"]
    assert Deployment(aws, "dev").operator == caller
    assert caller.startswith("arn:aws:sts::") and "eve" not in caller


def test_locally_whoever_acts_is_the_user_of_the_operating_system():
    assert local_user() == pwd.getpwuid(os.getuid()).pw_name != "eve"


def test_a_user_without_a_name_is_named_by_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert local_user() == "user 987654"


NAMES = [
    "O'Brien",
    "MEGABANK\\ann",
    "ann+review@example.com",
    "O'Brien, Kevin",
    "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Reviewers_0123456789abcdef/ann+b=c,d@example.com",
    f"arn:aws:sts::123456789012:assumed-role/{'r' * 64}/{'s' * 64}",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_as_people_and_aws_write_it_is_accepted(name):
    assert any_feedback(by=name).by == name
    assert HoldRequest(complaint_id="1", kind="place", requester=name, reason="a case").requester == name


@pytest.mark.parametrize("name", ["", "a\nb", "ann<b>", "x" * 201])
def test_another_name_is_refused_with_the_rule_in_words(name):
    with pytest.raises(ValidationError) as refused:
        any_feedback(by=name)
    assert problems(refused.value) == (
        "by: must be 1 to 200 letters, digits, spaces, or any of _ . , : ; @ ( ) / ' + = \\ -"
    )
