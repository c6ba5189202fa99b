"""The base of every payload and record, and the types that many of them share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from triage.validation import Matching

Revision = Annotated[str, Matching(r"^[0-9a-f]{40}$", "a commit sha: 40 characters of 0-9 and a-f")]
"""A Hub commit sha. Branches and tags move, so they are refused everywhere."""

Sha256 = Annotated[str, Matching(r"^[0-9a-f]{64}$", "a SHA-256: 64 characters of 0-9 and a-f")]

ModelId = Annotated[str, Matching(r"^[\w][\w.\-]{0,95}/[\w][\w.\-]{0,95}$", "a Hub repository: organisation/name")]
"""A Hub repository, `organisation/name`."""

TaskName = Annotated[
    str, Matching(r"^[a-z][a-z0-9-]{0,47}$", "a task name: lower-case letters, digits and hyphens, a letter first")
]
"""What a model decides: `product`, `issue`, `vulnerable`, or any further task that is registered."""

Day = Annotated[str, Matching(r"^\d{4}-\d{2}-\d{2}$", "a day such as 2026-11-01")]


class Contract(BaseModel):
    """An immutable payload that refuses unknown fields.

    Its validation errors hide the input, because a narrative must not reach a log or a state through them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)
