"""What a model answers to a text of which parts are hidden, asked once for each set of hidden tokens."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from triage.bundle import Manifest
from triage.explanation.owen import Coalition, Output
from triage.explanation.record import Part
from triage.inference.classify import softmax
from triage.inference.engine import Reading

Tokens = frozenset[int]


class Answers:
    """Calibrated probabilities of `labels`. Evaluations run side by side, as many as there are processors."""

    def __init__(self, reading: Reading, manifest: Manifest, labels: Sequence[str]) -> None:
        self._reading = reading
        self._temperature = manifest.calibration.temperature
        self._places = [manifest.labels.index(label) for label in labels]
        self._known: dict[Tokens, Output] = {}
        # Its threads end with this object: `shutdown` is what an executor does when nobody refers to it any more.
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    @property
    def evaluations(self) -> int:
        return len(self._known)

    def unknown(self, hidden: Sequence[Tokens]) -> list[Tokens]:
        return [tokens for tokens in dict.fromkeys(hidden) if tokens not in self._known]

    def ask(self, hidden: Sequence[Tokens]) -> list[Output]:
        asked = self.unknown(hidden)
        self._known |= zip(asked, self._pool.map(self._answer, asked), strict=True)
        return [self._known[tokens] for tokens in hidden]

    def _answer(self, hidden: Tokens) -> Output:
        probabilities = softmax(self._reading.score_without(hidden), self._temperature)
        return tuple(probabilities[place] for place in self._places)


class PartsGame:
    """The players are parts of a text; a part that takes no part has its tokens hidden.

    tokens: of each part. hidden: tokens that no coalition shows.
    """

    def __init__(self, answers: Answers, tokens: Sequence[Tokens], hidden: Tokens = frozenset()) -> None:
        self._answers = answers
        self._tokens = tokens
        self._hidden = hidden
        self._hidden_by: dict[Coalition, Tokens] = {}

    @property
    def players(self) -> int:
        return len(self._tokens)

    @property
    def sizes(self) -> list[int]:
        return [len(tokens) for tokens in self._tokens]

    def hidden_by(self, coalition: Coalition) -> Tokens:
        if coalition not in self._hidden_by:
            absent = (tokens for player, tokens in enumerate(self._tokens) if player not in coalition)
            self._hidden_by[coalition] = self._hidden.union(*absent)
        return self._hidden_by[coalition]

    def worth(self, coalitions: Sequence[Coalition]) -> list[Output]:
        return self._answers.ask([self.hidden_by(coalition) for coalition in coalitions])

    def unknown(self, coalitions: Sequence[Coalition]) -> int:
        return len(self._answers.unknown([self.hidden_by(coalition) for coalition in coalitions]))


def tokens_of(part: Part, reading: Reading) -> Tokens:
    """The tokens that begin in a part; those that stand for no characters belong to none, and are never hidden."""
    return frozenset(
        place for place, (start, end) in enumerate(reading.tokens) if start < end and part.start <= start < part.end
    )
