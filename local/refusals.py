"""Every request that MiniStack refuses leaves a line in its log, as CloudTrail would record it."""

import logging
from collections.abc import Callable
from typing import Any

from local.worker_fixes import require

log = logging.getLogger(__name__)

Answer = Callable[..., Any]


def apply() -> None:
    from ministack.core import iam_actions

    require(hasattr(iam_actions, "access_denied_response"), "MiniStack's access_denied_response")
    iam_actions.access_denied_response = logged(iam_actions.access_denied_response)


def logged(answer: Answer) -> Answer:
    """Of what is refused, who asked for what; nothing of the request itself."""

    def denied(service: str, action: str, principal_arn: str, request_id: str, **said: Any) -> Any:
        who = principal_arn or "somebody unknown"
        log.warning("refused: %s may not %s (%s)", who, action, said.get("error_code") or "AccessDenied")
        return answer(service, action, principal_arn, request_id, **said)

    return denied
