"""Erases a complaint's text, its explanations, and feedback that could quote it. Decisions stay."""

from datetime import UTC, datetime
from typing import Final

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Condition, Table, write_together
from runtime.adapters.legal_holds import MARK
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.audit.erasure import Erased, ErasureRequest, plan_erasure
from triage.errors import HeldError
from triage.functions import ERASE, EraseEnvironment

logger = Logger(service="erase")

ATTEMPTS: Final = 5
UNHELD: Final = Condition("attribute_exists(#id) AND attribute_not_exists(#held)", id="complaint_id", held=MARK)


def build(environment: EraseEnvironment, session: boto3.Session) -> Handler:
    complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    stories = Stories(environment, session)

    def erase(request: ErasureRequest) -> Erased:
        complaint_id = request.complaint_id
        for _ in range(ATTEMPTS):
            raw = complaints.get(complaint_id, attributes=("complaint_id", "triage_state"))
            erasure = plan_erasure(
                request,
                raw=raw,
                story=stories.read(complaint_id),
                inbox=stories.inbox(complaint_id),
                now=datetime.now(UTC),
                code_version=environment.code_version,
            )
            if erasure is None:
                return Erased(complaint_id=complaint_id, erasure=None)
            # Recorded together with the removal, or before it: a removal without a record would look like tampering.
            erasure = stories.stamped(erasure)
            writes = [stories.to_record(erasure)]
            if raw is not None:
                removable = UNHELD.unchanged("triage_state", raw)
                writes.append(complaints.to_delete(complaint_id, condition=removable))
            if write_together(complaints.client, writes):
                stories.remove(complaint_id, erasure.entries, feedback=erasure.refused_feedback)
                return Erased(complaint_id=complaint_id, erasure=erasure)
        raise HeldError(
            f"{complaint_id} was not erased: it bears the mark of a hold, or is being changed; if its hold was lifted, "
            "lift it again to finish that, then erase it"
        )

    return step_handler(ERASE, erase, logger)


handler = entry_point(EraseEnvironment, build)
