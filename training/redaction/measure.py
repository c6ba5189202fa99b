"""Compares the spans that the redactor finds with the marked spans of the labelled set."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.redaction.labelled import Example
from triage.redaction import Entity, Span, find


@dataclass(frozen=True)
class Score:
    """Counts for one entity.

    marked, found: spans. marked_found: marked spans that overlap a found span of the entity. found_marked: found spans
    that overlap a marked span of the entity. characters: marked characters. hidden: marked characters inside any found
    span. replaced: characters of found spans. harmed: of these, characters that no mark of any entity covers.
    """

    marked: int = 0
    marked_found: int = 0
    found: int = 0
    found_marked: int = 0
    characters: int = 0
    hidden: int = 0
    replaced: int = 0
    harmed: int = 0

    @property
    def recall(self) -> float:
        return _share(self.marked_found, self.marked)

    @property
    def precision(self) -> float:
        return _share(self.found_marked, self.found)

    @property
    def hidden_share(self) -> float:
        """The share of marked characters that are replaced by any placeholder; privacy depends on it."""
        return _share(self.hidden, self.characters)

    @property
    def harmed_share(self) -> float:
        return self.harmed / self.replaced if self.replaced else 0.0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def measure(examples: Iterable[Example]) -> dict[Entity, Score]:
    """Score the first pass of the redactor, by entity."""
    scores = dict.fromkeys(Entity, Score())
    for example in examples:
        found = find(example.text)
        for entity in Entity:
            scores[entity] += _score(entity, example.spans, found)
    return scores


def _score(entity: Entity, marked: Sequence[Span], found: Sequence[Span]) -> Score:
    ours = [span for span in marked if span.entity is entity]
    theirs = [span for span in found if span.entity is entity]
    return Score(
        marked=len(ours),
        marked_found=sum(any(_overlap(span, other) for other in theirs) for span in ours),
        found=len(theirs),
        found_marked=sum(any(_overlap(span, other) for other in ours) for span in theirs),
        characters=sum(span.end - span.start for span in ours),
        hidden=sum(_overlap(span, other) for span in ours for other in found),
        replaced=sum(span.end - span.start for span in theirs),
        harmed=sum(span.end - span.start - sum(_overlap(span, other) for other in marked) for span in theirs),
    )


def _overlap(one: Span, other: Span) -> int:
    """Return the number of characters that the spans share."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
