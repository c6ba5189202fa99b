"""Applies every legal hold again, on a schedule, so that records written since the hold was placed are kept too."""

from typing import Any

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.legal_holds import LegalHolds
from runtime.function import Handler, entry_point
from triage.functions import KeepHeldEnvironment

logger = Logger(service="keep_held")


def build(environment: KeepHeldEnvironment, session: boto3.Session) -> Handler:
    holds = LegalHolds(environment, session)

    def keep(event: dict[str, Any], context: object) -> None:
        held = holds.stories.held()
        kept, failed = 0, 0
        for complaint_id in held:
            try:
                kept += holds.keep(complaint_id) or 0
            except Exception:
                # The complaints behind it in the list have to be kept all the same.
                logger.exception("not kept", extra={"complaint_id": complaint_id})
                failed += 1
        logger.info("kept", extra={"complaints": len(held), "records": kept})
        if failed:
            raise RuntimeError(
                f"{failed} of {len(held)} complaints are not kept and may expire; the log names each with its error"
            )

    return keep


handler = entry_point(KeepHeldEnvironment, build)
