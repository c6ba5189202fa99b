"""A person's request to read a narrative, and the answer. Who reads it, and why, is recorded first."""

from pydantic import Field

from triage.contracts import Contract
from triage.steps import ShortText


class ReadingRequest(Contract):
    complaint_id: str = Field(min_length=1)
    requester: ShortText
    purpose: ShortText


class Read(Contract):
    """words: the cleaned narrative, not redacted; empty where the complaint has no readable one."""

    complaint_id: str
    read_at: str
    words: str
