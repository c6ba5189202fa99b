"""Places and lifts legal holds."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Condition, Table
from runtime.adapters.retention import Retention
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.audit.hold import Held, HoldRequest, in_force, lifted, placed
from triage.errors import HoldRefusedError
from triage.functions import HOLD, HoldEnvironment

logger = Logger(service="hold")


def build(environment: HoldEnvironment, session: boto3.Session) -> Handler:
    client = session.client("dynamodb")
    story = Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    retention = Retention(
        Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table),
        story,
        Table(client, tables.AUDIT_CHAIN, environment.audit_chain_table),
        retention_days=environment.retention_days,
    )

    def hold(request: HoldRequest) -> Held:
        now, entries = datetime.now(UTC), list(story.query(request.complaint_id))
        if not entries:
            raise HoldRefusedError(f"{request.complaint_id} has no story that could be held")
        found = in_force(entries)
        lifted_meanwhile = HoldRefusedError(f"the hold of {request.complaint_id} was lifted by somebody else meanwhile")
        if request.kind == "place":
            hold = found or placed(request, now=now, code_version=environment.code_version)
            story.put_if_absent(hold)
            kept = retention.keep(request.complaint_id)
            if kept is None:
                raise lifted_meanwhile
            return Held(hold=hold, kept=kept)
        hold = lifted(entries, request, now=now)
        in_force_still = Condition("#held = :held", held="held").comparing(held="yes")
        if found is not None and not story.put(hold, condition=in_force_still):
            raise lifted_meanwhile
        # Also where it was lifted before: what a crash left without expiry would stay for ever.
        return Held(hold=hold, kept=retention.resume(request.complaint_id, entries, now=now))

    return keeps(HOLD, hold, logger)


handler = entry_point(HoldEnvironment, build)
