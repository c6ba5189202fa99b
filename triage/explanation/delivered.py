"""The contract of a delivered explanation, apart from its making, which needs the redactor's library."""

from triage.contracts import Contract
from triage.story import ExplanationEntry


class Passage(Contract):
    """A redacted part of the text, and by how much it moved the probabilities.

    text: `[WITHHELD]` where it is not in English, because the redactor covers no other language.

    words: those of a sentence that was explained word by word. Joined, they are its text.
    """

    text: str
    label: float
    runner_up: float
    words: tuple["Passage", ...] = ()


class Delivered(Contract):
    """An explanation as it is handed out. unread: the redacted text after the last word that the model read."""

    explanation: ExplanationEntry
    delivered_at: str
    requester: str
    sentences: tuple[Passage, ...]
    unread: str
