"""An explanation as it leaves: its figures beside the words they are about, which are redacted."""

from bisect import bisect_left
from collections.abc import Iterator

from triage.contracts import Contract
from triage.errors import TextChangedError
from triage.explanation.record import Attribution, Part
from triage.redaction import redact_aligned, redact_text
from triage.steps import DeliveryRequest, Step
from triage.story import ExplanationEntry, sha256_of_text


class Passage(Contract):
    """text: redacted. words: of a sentence that was looked into; together they are its text."""

    text: str
    label: float
    runner_up: float
    words: tuple["Passage", ...] = ()


class DeliveredExplanation(Contract):
    """unread: what lies behind the last word that the model read."""

    explanation: ExplanationEntry
    delivered_at: str
    requester: str
    sentences: tuple[Passage, ...]
    unread: str


DELIVER_EXPLANATION = Step("deliver_explanation", takes=DeliveryRequest, gives=DeliveredExplanation)
"""No state of a state machine: what it gives holds words."""


def deliver(entry: ExplanationEntry, text: str, *, requester: str, delivered_at: str) -> DeliveredExplanation:
    """text: of the complaint, cleaned.

    Raises: TextChangedError, for figures must not stand beside other words than those they were made of.
    """
    read = text if entry.redaction_version is None else redact_text(text)
    if sha256_of_text(read) != entry.read_sha256:
        raise TextChangedError("the complaint, or its redaction, has changed since it was explained; explain it anew")
    redacted = _Redacted(read)
    explained = entry.explained
    inside = {words.sentence: words.words for words in explained.words}
    last = max((found.part.end for found in explained.sentences), default=0)
    return DeliveredExplanation(
        explanation=entry,
        delivered_at=delivered_at,
        requester=requester,
        sentences=tuple(
            _passage(found, redacted, tuple(redacted.passages(inside.get(number, ()))))
            for number, found in enumerate(explained.sentences)
        ),
        unread=redacted.of(Part(start=last, end=len(read))),
    )


class _Redacted:
    """A text without personal data, addressed by the places of the text that has it."""

    def __init__(self, text: str) -> None:
        self._text, self._origins = redact_aligned(text)

    def of(self, part: Part) -> str:
        return self._text[bisect_left(self._origins, part.start) : bisect_left(self._origins, part.end)]

    def passages(self, found: tuple[Attribution, ...]) -> Iterator[Passage]:
        return (_passage(word, self) for word in found)


def _passage(found: Attribution, redacted: _Redacted, words: tuple[Passage, ...] = ()) -> Passage:
    return Passage(text=redacted.of(found.part), label=found.label, runner_up=found.runner_up, words=words)
