"""The JSON document of a complaint's account, and its schema."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.factories import NOW
from tests.stories import ID, account_of, chained, items, outbox, whole_inbox, whole_story
from triage.audit.verification import verify
from triage.feedback import INBOX
from triage.timeline.account import Account, schema
from triage.timeline.records import Records

CHECKED_IN = Path(__file__).parents[3] / "docs" / "schemas" / "story.json"


def an_account(*, now: datetime = NOW) -> Account:
    """An account with every kind of record. One record was changed after it was sealed."""
    story, inbox = items(whole_story()), whole_inbox()
    links, inbox_links = chained(story), chained(inbox, partition=INBOX + ID)
    story[-1] = {**story[-1], "reason": "another"}
    found = verify(ID, links=links, story=story, inbox_links=inbox_links, inbox=inbox, now=now, retention_days=90)
    records = Records.read(ID, raw=outbox(), story=story, inbox=inbox)
    return Account.of(records, links=reversed(links), inbox_links=inbox_links, findings=found)


def test_an_account_is_read_again_as_it_was_written():
    written = an_account()
    assert account_of(json.loads(json.dumps(written.document()))) == written


def test_the_document_has_the_fields_of_the_records_beside_its_own():
    own = {"schema_version", "moments", "links", "inbox_links", "findings", "clock", "audit"}
    assert an_account().document().keys() == Records.model_fields.keys() | own
    assert json.loads(schema())["properties"].keys() == Records.model_fields.keys() | own


def test_an_account_has_records_moments_chains_and_findings():
    account = an_account()
    records = account.records
    assert (account.schema_version, records.triage_state, records.attempts) == (1, "allocated", 1)
    assert records.received_at == "2026-03-02T09:00:00+00:00", (
        "the selection states it, whatever became of the complaint"
    )
    assert [link.number for link in account.links] == list(range(1, len(whole_story()) + 1))
    assert {finding.problem for finding in account.findings} == {"changed"}
    assert account.moments and records.allocation and records.selection


def test_a_document_with_an_unknown_field_is_refused():
    with pytest.raises(ValidationError):
        account_of({**an_account().document(), "narrative": "They closed my account."})


def test_the_schema_in_the_documents_is_that_of_the_models():
    assert CHECKED_IN.read_text(encoding="utf-8") == schema(), "write it with `triage show --schema`"


def test_every_type_of_the_schema_has_a_name_of_its_own():
    assert not [name for name in json.loads(schema())["$defs"] if "__" in name]
