"""Explains one decision: the effect of each sentence, and of the words in the sentences with the largest effect."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random

from triage.bundle import Manifest
from triage.errors import NothingToExplainError
from triage.explanation.checks import checked, faithfulness, stability
from triage.explanation.owen import Coalition, Output, Share, attributions, shares, united
from triage.explanation.parts import sentences, words
from triage.explanation.record import Attribution, Explained, Method, Part, Truncation, Words
from triage.inference.classify import REPLAY_TOLERANCE, Classification, as_read, classify, softmax
from triage.inference.engine import Engine, Reading, ReadingEngine, foreign

METHOD = "owen values over trees of neighbours"
OUTPUT = "calibrated probability"
TREES = 3
SENTENCE_EVALUATIONS = 96
"""Of the model, for all trees; the first may use half of them. More hardly change the ranking: `make bench`."""

WORD_EVALUATIONS = 24
"""Of the model, for the words of one sentence."""

SENTENCES_WITH_WORDS = 2
SMALLEST_SHARE = 0.1
"""Words are explained only in sentences with at least this share of the effects of all sentences together."""


Tokens = frozenset[int]


@dataclass(frozen=True)
class Recorded:
    """The answer that the model gave when the complaint came in."""

    label: str
    confidence: float


def explain(text: str, recorded: Recorded, *, engine: Engine, manifest: Manifest, seed: int) -> Explained:
    """Repeat one decision about a cleaned text, and explain it.

    Raises:
        NothingToExplainError: the engine cannot hide tokens, the model does not have the recorded label, or the model
            read no words.
        ModelFailedError: the model does not answer any more.
    """
    replayed = classify(text, engine=engine, manifest=manifest)
    if recorded.label not in manifest.labels:
        raise NothingToExplainError("the model does not have the recorded label; look at the prediction")
    read = as_read(text, manifest)
    reading = _read(engine, read)
    runner_up = _runner_up(recorded.label, replayed, manifest)
    parts = [(part, tokens) for part in sentences(read) if (tokens := _tokens_of(part, reading))]
    if not parts:
        raise NothingToExplainError("the model read no words of the complaint, so none can be explained")

    answers = Answers(reading, manifest, (recorded.label, runner_up))
    game = PartsGame(answers, [tokens for _, tokens in parts])
    trees = _trees(game, answers, seed)
    # Each tree has the same weight, so that the mean of their attributions adds up too.
    together = [replace(share, weight=share.weight / TREES) for found in trees for share in found]
    attributed = attributions(together, game.sizes)
    inside = tuple(
        _words(place, together, [part for part, _ in parts], read=read, reading=reading, game=game, answers=answers)
        for place in _strongest(attributed)
    )

    empty, full = game.worth([frozenset(), frozenset(range(game.players))])
    by_itself = dict(replayed.top).get(recorded.label, full[0])
    checks = checked(
        residual=abs(empty[0] + sum(output[0] for output in attributed) - by_itself),
        faithfulness=faithfulness(game, attributed, Random(seed)),
        stability=stability([attributions(found, game.sizes) for found in trees]),
    )
    return Explained(
        label=recorded.label,
        runner_up=runner_up,
        reproduced=_is_same(recorded, replayed),
        replayed_label=replayed.label,
        replayed_confidence=replayed.confidence,
        base_value=(empty[0], empty[1]),
        full_value=(full[0], full[1]),
        sentences=_attributions([part for part, _ in parts], attributed),
        words=inside,
        method=Method(
            name=METHOD, output=OUTPUT, masker=reading.mask, seed=seed, trees=TREES, evaluations=answers.evaluations
        ),
        truncation=Truncation(
            tokens_seen=replayed.tokens_seen,
            tokens_total=replayed.tokens_total,
            characters_read=max(end for _, end in reading.tokens),
            characters_total=len(read),
        ),
        checks=checks,
    )


class Answers:
    """The model's probabilities of `labels` while tokens are hidden; each set of hidden tokens is evaluated once."""

    def __init__(self, reading: Reading, manifest: Manifest, labels: Sequence[str]) -> None:
        self._reading = reading
        self._temperature = manifest.calibration.temperature
        self._places = [manifest.labels.index(label) for label in labels]
        self._known: dict[Tokens, Output] = {}
        # One thread for each processor. The threads end when nothing refers to the executor any more.
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
        with foreign():
            scores = self._reading.score_without(hidden)
        probabilities = softmax(scores, self._temperature)
        return tuple(probabilities[place] for place in self._places)


class PartsGame:
    """A game whose players are parts of a text. The tokens of a part outside the coalition are hidden.

    tokens: of each part. hidden: tokens that stay hidden in every coalition.
    """

    def __init__(self, answers: Answers, tokens: Sequence[Tokens], hidden: Tokens = frozenset()) -> None:
        self._answers = answers
        self._tokens = tokens
        self._hidden = hidden
        self.players = len(tokens)
        self.sizes = [len(part) for part in tokens]

    def hidden_by(self, coalition: Coalition) -> Tokens:
        absent = (tokens for player, tokens in enumerate(self._tokens) if player not in coalition)
        return self._hidden.union(*absent)

    def worth(self, coalitions: Sequence[Coalition]) -> list[Output]:
        return self._answers.ask([self.hidden_by(coalition) for coalition in coalitions])

    def unknown(self, coalitions: Sequence[Coalition]) -> int:
        return len(self._answers.unknown([self.hidden_by(coalition) for coalition in coalitions]))


def _tokens_of(part: Part, reading: Reading) -> Tokens:
    """Return the tokens that begin in a part. Special tokens stand for no characters and are never hidden."""
    return frozenset(
        place for place, (start, end) in enumerate(reading.tokens) if start < end and part.start <= start < part.end
    )


def _read(engine: Engine, text: str) -> Reading:
    if not isinstance(engine, ReadingEngine):
        raise NothingToExplainError("the model cannot be explained: its engine cannot hide tokens")
    with foreign():
        try:
            return engine.read(text)
        except (ValueError, NotImplementedError):
            raise NothingToExplainError("the model cannot be explained: its tokenizer cannot hide tokens") from None


def _runner_up(label: str, replayed: Classification, manifest: Manifest) -> str:
    """Return the most probable of the other labels."""
    return next(other for other, _ in (*replayed.top, *((name, 0.0) for name in manifest.labels)) if other != label)


def _is_same(recorded: Recorded, replayed: Classification) -> bool:
    close = abs(recorded.confidence - replayed.confidence) <= REPLAY_TOLERANCE
    return recorded.label == replayed.label and close


def _trees(game: PartsGame, answers: Answers, seed: int) -> list[list[Share]]:
    """Return the shares along an even tree, with half of the evaluations, and along random trees with the rest."""
    drawn = [None, *(Random(f"{seed} {number}") for number in range(1, TREES))]
    limits = [round(SENTENCE_EVALUATIONS * (1 + number / (TREES - 1)) / 2) for number in range(TREES)]
    return [
        shares(game, united(game.sizes, random), evaluations=limit - answers.evaluations)
        for random, limit in zip(drawn, limits, strict=True)
    ]


def _strongest(attributed: Sequence[Output]) -> list[int]:
    """Return the indexes of the sentences with the largest effect, in the order of the text."""
    effects = [abs(output[0]) for output in attributed]
    ranked = sorted(range(len(effects)), key=lambda place: -effects[place])
    enough = [place for place in ranked if effects[place] and effects[place] >= SMALLEST_SHARE * sum(effects)]
    return sorted(enough[:SENTENCES_WITH_WORDS])


def _words(
    place: int,
    found: Sequence[Share],
    parts: Sequence[Part],
    *,
    read: str,
    reading: Reading,
    game: PartsGame,
    answers: Answers,
) -> Words:
    """Explain the words of sentence `place`, while those sentences are shown with which it had its largest effect."""
    alone = [share for share in found if share.group.members == {place}]
    # If no tree was divided down to this sentence, all other sentences are shown beside it.
    others = frozenset(range(len(parts))) - {place}
    company = max(alone, key=lambda share: share.moved).company if alone else others
    spelled = [(word, tokens) for word in words(read, parts[place]) if (tokens := _tokens_of(word, reading))]
    inner = PartsGame(answers, [tokens for _, tokens in spelled], hidden=game.hidden_by(company | {place}))
    attributed = attributions(shares(inner, united(inner.sizes), evaluations=WORD_EVALUATIONS), inner.sizes)
    before, after = inner.worth([frozenset(), frozenset(range(inner.players))])
    return Words(
        sentence=place,
        company=tuple(sorted(company)),
        label=after[0] - before[0],
        runner_up=after[1] - before[1],
        words=_attributions([word for word, _ in spelled], attributed),
    )


def _attributions(parts: Sequence[Part], outputs: Sequence[Output]) -> tuple[Attribution, ...]:
    return tuple(
        Attribution(part=part, label=output[0], runner_up=output[1])
        for part, output in zip(parts, outputs, strict=True)
    )
