"""Helpers for tests of commands: run a command, and fill the tables of a deployment."""

import json
from datetime import UTC, datetime

from tests.factories import any_item, any_model_info

ACCOUNT = "123456789012"
MACHINE = f"arn:aws:states:eu-west-2:{ACCOUNT}:stateMachine:triage"
ENV = ("--env", "dev")


class Result:
    """Exit code and output of a command. Line breaks that fit text to a narrow terminal are removed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = " ".join(out.split())
        self.err = " ".join(err.split())
        self._printed = out

    @property
    def json(self):
        return json.loads(self._printed)


def registered(deployment, **values):
    model = any_model_info(**values)
    deployment.registry._models.put(model)
    return model


def export(tmp_path, *items, name="complaints.jsonl"):
    file = tmp_path / name
    file.write_text("\n".join(map(json.dumps, items)))
    return file


def parked(deployment, complaint_id="8123456"):
    deployment.complaints.put(any_item(complaint_id=complaint_id))
    outbox = deployment.outbox()
    assert outbox.claim(complaint_id, datetime.now(UTC))
    (item,) = (i for i in outbox.started_before(datetime.now(UTC)) if i["complaint_id"] == complaint_id)
    assert outbox.park(item)
