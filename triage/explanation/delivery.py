"""An explanation as it is handed out: its figures beside the redacted words that they are about."""

from bisect import bisect_left

from triage.errors import TextChangedError
from triage.explanation.delivered import Delivered, Passage
from triage.explanation.record import Attribution, Part
from triage.inference.reading import read_by_models
from triage.redaction import is_covered, is_covered_sentence, redact_aligned
from triage.story import ExplanationEntry, sha256_of_text

WITHHELD = "[WITHHELD] "
"""Stands for words in a language that the redactor does not cover: names in them would stay."""


def deliver(entry: ExplanationEntry, text: str, *, requester: str, delivered_at: str) -> Delivered:
    """Join a stored explanation with its words. text: the cleaned text of the complaint.

    Where the letter or a sentence is not in English, its words are withheld, and the figures stay.

    Raises: TextChangedError if the text or its redaction has changed, because the figures are about other words then.
    """
    read = read_by_models(text, redacted=entry.redaction_version is not None)
    if sha256_of_text(read) != entry.read_sha256:
        raise TextChangedError("the complaint, or its redaction, has changed since it was explained; explain it anew")
    redacted, origins = redact_aligned(read)
    covered = is_covered(read)

    def words_of(part: Part) -> str:
        return redacted[bisect_left(origins, part.start) : bisect_left(origins, part.end)]

    def handed_out(part: Part) -> str:
        words = words_of(part)
        return words if not words.strip() or (covered and is_covered_sentence(words)) else WITHHELD

    def passage(found: Attribution, words: tuple[Passage, ...] = ()) -> Passage:
        spoken = handed_out(found.part)
        inside = () if spoken == WITHHELD else words
        return Passage(text=spoken, label=found.label, runner_up=found.runner_up, words=inside)

    def word(found: Attribution) -> Passage:
        return Passage(text=words_of(found.part), label=found.label, runner_up=found.runner_up)

    explained = entry.explained
    inside = {words.sentence: words.words for words in explained.words}
    last = max((found.part.end for found in explained.sentences), default=0)
    return Delivered(
        explanation=entry,
        delivered_at=delivered_at,
        requester=requester,
        sentences=tuple(
            passage(found, tuple(map(word, inside.get(number, ())))) for number, found in enumerate(explained.sentences)
        ),
        unread=handed_out(Part(start=last, end=len(read))),
    )
