"""A person reads a narrative: only what is recorded is handed out."""

from pydantic import Field

from triage.contracts import Contract
from triage.steps import ShortText


class ReadingRequest(Contract):
    complaint_id: str = Field(min_length=1)
    requester: ShortText
    purpose: ShortText


class Read(Contract):
    """words: the narrative as models are given it, cleaned and before redaction; empty where none can be read."""

    complaint_id: str
    read_at: str
    words: str
