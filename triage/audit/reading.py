"""A person's request to read a narrative, and the answer. Who reads it, and why, is recorded first."""

from pydantic import Field

from triage.contracts import Contract
from triage.steps import ShortText


class ReadingRequest(Contract):
    complaint_id: str = Field(min_length=1)
    requester: ShortText
    purpose: ShortText


class Read(Contract):
    """Not redacted, and empty where the complaint has no readable narrative.

    words: everything that the letter says, the newest message first. judged: what models read. as_written: what
    they read before there was a reader of letters, see `Complaint`.
    """

    complaint_id: str
    read_at: str
    words: str
    judged: str
    as_written: str
