import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOW
from triage.outbox import execution_name, expiry

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html: 1 to 80 characters without
# white space, brackets, wildcards, special and control characters; these alone can be logged by CloudWatch.
LOGGED = re.compile(r"[0-9A-Za-z_-]{1,80}", re.ASCII)
IDS = st.text(max_size=100) | st.text("abc-_019", max_size=100)
MOMENTS = st.none() | st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(IDS, MOMENTS)
def test_step_functions_takes_every_name(complaint_id, again_at):
    assert LOGGED.fullmatch(execution_name(complaint_id, again_at=again_at))


@given(st.lists(IDS, min_size=2, max_size=10, unique=True))
def test_distinct_complaints_have_distinct_names(ids):
    assert len({execution_name(complaint_id) for complaint_id in ids}) == len(ids)


@given(IDS)
def test_the_same_complaint_has_the_same_name(complaint_id):
    assert execution_name(complaint_id) == execution_name(complaint_id)


@given(IDS, st.integers(1, 10**6))
def test_each_further_attempt_has_a_name_of_its_own(complaint_id, milliseconds):
    later = NOW + timedelta(milliseconds=milliseconds)
    names = {
        execution_name(complaint_id),
        execution_name(complaint_id, again_at=NOW),
        execution_name(complaint_id, again_at=later),
    }
    assert len(names) == 3


def test_an_id_of_the_longest_form_is_kept_and_a_longer_one_is_hashed():
    assert execution_name("a" * 60) == "a" * 60
    assert execution_name("a" * 61) != "a" * 61
    assert execution_name("8123456\n") != execution_name("8123456")


@given(st.integers(0, 4000))
def test_items_expire_after_their_retention(days):
    assert datetime.fromtimestamp(expiry(NOW, days), UTC) - NOW == timedelta(days=days)
