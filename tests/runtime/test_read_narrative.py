"""A person receives a narrative only after the access was recorded."""

import pytest

from runtime.read_narrative import build as reading
from tests.factories import any_item
from tests.runtime.audit import entries
from tests.runtime.conftest import NARRATIVE, failing
from triage.errors import ComplaintMissingError
from triage.story import READING, ReadingEntry
from triage.tables import RAW_COMPLAINTS


def test_a_narrative_is_handed_out_once_it_is_recorded_who_has_it(cloud, story, caplog):
    request = {"complaint_id": "1", "requester": "ann", "purpose": "replay"}
    given = reading(cloud.read_narrative, cloud.session())(request, None)
    assert given["words"] == NARRATIVE
    (entry,) = (ReadingEntry.model_validate(item) for item in entries(story, READING))
    assert (entry.read_by, entry.purpose, entry.read_at) == ("ann", "replay", given["read_at"])
    (said,) = (vars(record) for record in caplog.records if record.message == "narrative read")
    assert (said["complaint_id"], said["requester"], said["purpose"]) == ("1", "ann", "a person's reading")
    assert "kestrel" not in caplog.text


def test_a_person_reads_the_whole_letter_with_the_newest_message_first(cloud, story):
    mail = "<blockquote>Older words.</blockquote><p>Newer words.</p>"
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative=mail))
    request = {"complaint_id": "1", "requester": "ann", "purpose": "replay"}
    given = reading(cloud.read_narrative, cloud.session())(request, None)
    told = (given["words"], given["judged"], given["as_written"])
    assert told == ("Newer words. Older words.", "Newer words.", mail)


def test_a_narrative_that_cannot_be_recorded_is_not_handed_out(cloud, story):
    session = cloud.session()
    failing(session, "dynamodb.PutItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        reading(cloud.read_narrative, session)({"complaint_id": "1", "requester": "ann", "purpose": "replay"}, None)


def test_a_complaint_that_is_gone_is_not_read(cloud, story):
    with pytest.raises(ComplaintMissingError):
        reading(cloud.read_narrative, cloud.session())(
            {"complaint_id": "9", "requester": "ann", "purpose": "replay"}, None
        )
    assert not entries(story, READING)
