"""The account that is handed to whoever may ask, and its schema."""

from datetime import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.factories import NOW
from tests.stories import ID, chained, items, outbox, whole_inbox, whole_story
from triage.audit.verification import verify
from triage.feedback import INBOX
from triage.timeline.account import Account, schema
from triage.timeline.records import Records

CHECKED_IN = Path(__file__).parents[3] / "docs" / "schemas" / "story.json"


def an_account(*, now: datetime = NOW) -> Account:
    """Of a story with every kind of record, one of which was changed since it was sealed."""
    story, inbox = items(whole_story()), whole_inbox()
    links, inbox_links = chained(story), chained(inbox, partition=INBOX + ID)
    story[-1] = {**story[-1], "reason": "another"}
    found = verify(ID, links=links, story=story, inbox_links=inbox_links, inbox=inbox, now=now, retention_days=90)
    records = Records.read(ID, raw=outbox(), story=story, inbox=inbox)
    return Account.of(records, links=reversed(links), inbox_links=inbox_links, findings=found)


def test_an_account_is_read_again_as_it_was_written():
    written = an_account()
    assert Account.model_validate_json(written.model_dump_json()) == written


def test_an_account_has_records_moments_chains_and_findings():
    told = an_account()
    assert (told.schema_version, told.triage_state, told.attempts) == (1, "allocated", 1)
    assert told.received_at == "2026-03-02T09:00:00+00:00", "as it was selected; the row may be gone"
    assert [link.number for link in told.links] == list(range(1, len(whole_story()) + 1))
    assert {finding.problem for finding in told.findings} == {"changed"}
    assert told.moments and told.allocation and told.selection


def test_an_account_is_closed():
    with pytest.raises(ValidationError):
        Account.model_validate({**an_account().model_dump(), "narrative": "They closed my account."})


def test_the_schema_that_is_checked_in_is_that_of_the_models():
    assert CHECKED_IN.read_text(encoding="utf-8") == schema(), "write it with `triage show --schema`"
