"""Helpers that seal, hold and erase the records of complaint 1, and read what that leaves."""

import json

from runtime.erase import build as erasing
from runtime.hold import build as holding
from runtime.seal import build as sealing
from tests.runtime.conftest import Cloud, stream_records
from triage.audit.chain import Link
from triage.tables import AUDIT_CHAIN

ASKED = {"complaint_id": "1", "requester": "ann", "reason": "asked for"}


def records(story, *partitions):
    keys = [{"complaint_id": p, "entry": item["entry"]} for p in partitions for item in story.query(p)]
    return stream_records(*keys)


def seal(cloud: Cloud, event, session=None) -> list[Link]:
    sealing(cloud.seal, session or cloud.session())(event, None)
    return chain(cloud)


def chain(cloud: Cloud, complaint_id: str = "1") -> list[Link]:
    return [Link.model_validate(item) for item in cloud.table(AUDIT_CHAIN).query(complaint_id)]


def entries(story, kind):
    return [item for item in story.query("1") if item["entry"].startswith(kind)]


def announced(capsys):
    lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "RecordAltered" in line)
    return sum(sum(line["RecordAltered"]) for line in lines)


def erase(cloud: Cloud, session=None, **changed):
    return erasing(cloud.erase, session or cloud.session())({**ASKED, **changed}, None)


def hold(cloud: Cloud, kind="place", **changed):
    return holding(cloud.hold, cloud.session())({**ASKED, "kind": kind, **changed}, None)
