"""A complaint's story as it is stored: entries by their kind, each validated when it is asked for."""

from collections.abc import Iterable
from typing import Final, TypeVar

from triage import story
from triage.audit.chain import Item
from triage.steps import ModelReference
from triage.story import AllocationEntry, Entry, HoldEntry, PredictionEntry, SelectionEntry

E = TypeVar("E", bound=Entry)

KINDS: Final[dict[str, type[Entry]]] = {
    story.SELECTION: story.SelectionEntry,
    story.ALLOCATION: story.AllocationEntry,
    story.PREDICTION: story.PredictionEntry,
    story.FAILED: story.FailureEntry,
    story.SUPERSEDED: story.SupersededEntry,
    story.FEEDBACK: story.FeedbackEntry,
    story.EXPLANATION: story.ExplanationEntry,
    story.DELIVERY: story.DeliveryEntry,
    story.READING: story.ReadingEntry,
    story.HOLD: story.HoldEntry,
    story.ERASURE: story.ErasureEntry,
    story.RECEIPT: story.ReceiptEntry,
}
"""The model of each kind of entry, by the beginning of its key, up to and including the first `#`."""


def kind_of(entry: str) -> type[Entry] | None:
    """Return the model of an entry by its key, or None for a key that no code writes.

    >>> kind_of("FEEDBACK#000002")
    <class 'triage.story.FeedbackEntry'>
    """
    name, separator, _ = entry.partition("#")
    return KINDS.get(name + separator)


class StoredStory:
    """The entries of one complaint. An entry that is not valid fails only those who ask for it."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = {str(item["entry"]): item for item in items}

    def get(self, kind: type[E], entry: str) -> E | None:
        """Return the entry, or None if there is none. Raises: ValidationError if it is not valid."""
        return kind.model_validate(self.items[entry]) if entry in self.items else None

    def keys(self, kind: type[Entry]) -> tuple[str, ...]:
        return tuple(entry for entry in self.items if kind_of(entry) is kind)

    def all(self, kind: type[E]) -> tuple[E, ...]:
        """Return all entries of this kind. Raises: ValidationError if one of them is not valid."""
        return tuple(kind.model_validate(self.items[entry]) for entry in self.keys(kind))

    @property
    def selection(self) -> SelectionEntry | None:
        return self.get(SelectionEntry, story.SELECTION)

    @property
    def allocation(self) -> AllocationEntry | None:
        """The current one. Those before it are `all(SupersededEntry)`."""
        return self.get(AllocationEntry, story.ALLOCATION)

    def prediction(self, model: ModelReference) -> PredictionEntry | None:
        return self.get(PredictionEntry, PredictionEntry.key(model))

    @property
    def answers(self) -> tuple[PredictionEntry, ...]:
        """Predictions of the models that decide. Those of shadows are not even validated."""
        keys = (entry for entry in self.keys(PredictionEntry) if not entry.startswith(story.SHADOW))
        return tuple(PredictionEntry.model_validate(self.items[entry]) for entry in keys)

    @property
    def hold(self) -> HoldEntry | None:
        """The legal hold in force; None where there is none, or where it was lifted."""
        in_force = (key for key in self.keys(HoldEntry) if self.items[key].get("held") == "yes")
        return next((HoldEntry.model_validate(self.items[entry]) for entry in in_force), None)
