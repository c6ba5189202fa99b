"""The base of every payload and record: closed, frozen, and silent about what it was given."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
"""A Hub commit sha. Branches and tags move, so they are refused everywhere."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

ModelId = Annotated[str, StringConstraints(pattern=r"^[\w][\w.\-]{0,95}/[\w][\w.\-]{0,95}$")]
"""A Hub repository, `organisation/name`."""

TaskName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
"""What a model decides: `product`, `issue`, `vulnerable`, or any further task that is registered."""


class Contract(BaseModel):
    """A closed, immutable payload.

    Errors hide their input: a narrative must not reach a log or a state through a validation message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
