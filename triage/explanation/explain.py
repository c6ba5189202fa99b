"""One decision explained: sentences first, then the words in those that matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from triage.bundle import Manifest
from triage.errors import NothingToExplainError
from triage.explanation.answers import Answers, PartsGame, tokens_of
from triage.explanation.checks import checked, faithfulness, stability
from triage.explanation.owen import Output, Share, attributions, shares, united
from triage.explanation.parts import sentences, words
from triage.explanation.record import Attribution, Explained, Method, Part, Truncation, Words
from triage.inference.classify import REPLAY_TOLERANCE, Classification, as_read, classify
from triage.inference.engine import Engine, Reading, ReadingEngine

METHOD = "owen values over trees of neighbours"
OUTPUT = "calibrated probability"
TREES = 3
SENTENCE_EVALUATIONS = 96
"""Of all trees together; the first may use half of them. More changes ranks little (`make bench` tells)."""

WORD_EVALUATIONS = 24
"""For each sentence whose words are looked at."""

SENTENCES_WITH_WORDS = 2
SMALLEST_SHARE = 0.1
"""Of all that the sentences moved together: who moved less has no words that matter."""


@dataclass(frozen=True)
class Recorded:
    """What the model had answered when the complaint came in."""

    label: str
    confidence: float


def explain(text: str, recorded: Recorded, *, engine: Engine, manifest: Manifest, seed: int) -> Explained:
    """Replay one decision about a cleaned text, and explain it.

    Raises:
        NothingToExplainError: the engine cannot hide tokens, the label is none of the model's, or it read nothing.
        ModelFailedError: the model does not answer any more.
    """
    replayed = classify(text, engine=engine, manifest=manifest)
    if recorded.label not in manifest.labels:
        raise NothingToExplainError("the recorded label is none of the model's")
    read = as_read(text, manifest)
    reading = _read(engine, read)
    runner_up = _runner_up(recorded.label, replayed, manifest)
    parts = [(part, tokens) for part in sentences(read) if (tokens := tokens_of(part, reading))]
    if not parts:
        raise NothingToExplainError("the model read no words")
    answers = Answers(reading, manifest, (recorded.label, runner_up))
    game = PartsGame(answers, [tokens for _, tokens in parts])
    trees = _trees(game, answers, seed)
    # Each tree counts alike, so that the mean of them adds up too.
    together = [_weighed(share, 1 / TREES) for found in trees for share in found]
    attributed = attributions(together, game.sizes)
    inside = tuple(
        _words(place, together, [part for part, _ in parts], read=read, reading=reading, game=game, answers=answers)
        for place in _that_matter(attributed)
    )
    empty, full = game.worth([frozenset(), frozenset(range(game.players))])
    by_itself = dict(replayed.top).get(recorded.label, full[0])
    residual = abs(empty[0] + sum(output[0] for output in attributed) - by_itself)
    checks = checked(
        residual,
        faithfulness(game, attributed, Random(seed)),
        stability([attributions(found, game.sizes) for found in trees]),
    )
    return Explained(
        label=recorded.label,
        runner_up=runner_up,
        reproduced=_is_same(recorded, replayed),
        replayed_label=replayed.label,
        replayed_confidence=replayed.confidence,
        base_value=_pair(empty),
        full_value=_pair(full),
        sentences=tuple(
            Attribution(part=part, label=output[0], runner_up=output[1])
            for (part, _), output in zip(parts, attributed, strict=True)
        ),
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


def _read(engine: Engine, text: str) -> Reading:
    if not isinstance(engine, ReadingEngine):
        raise NothingToExplainError("the model's engine cannot hide tokens")
    try:
        return engine.read(text)
    except (ValueError, NotImplementedError):
        raise NothingToExplainError("the model's tokenizer cannot hide tokens") from None


def _runner_up(label: str, replayed: Classification, manifest: Manifest) -> str:
    """The most probable of the other labels."""
    return next(other for other, _ in (*replayed.top, *((name, 0.0) for name in manifest.labels)) if other != label)


def _is_same(recorded: Recorded, replayed: Classification) -> bool:
    close = abs(recorded.confidence - replayed.confidence) <= REPLAY_TOLERANCE
    return recorded.label == replayed.label and close


def _trees(game: PartsGame, answers: Answers, seed: int) -> list[list[Share]]:
    """Along the evenest tree, with half of the evaluations, and along those that the seed draws, with the others."""
    drawn = [None, *(Random(f"{seed} {number}") for number in range(1, TREES))]
    limits = [round(SENTENCE_EVALUATIONS * (1 + number / (TREES - 1)) / 2) for number in range(TREES)]
    return [
        shares(game, united(game.sizes, random), evaluations=limit - answers.evaluations)
        for random, limit in zip(drawn, limits, strict=True)
    ]


def _weighed(share: Share, weight: float) -> Share:
    return Share(share.company, share.group, share.before, share.after, share.weight * weight)


def _that_matter(attributed: Sequence[Output]) -> list[int]:
    """The sentences that moved the answer most, in the order of the letter."""
    moved = sum(abs(output[0]) for output in attributed)
    ranked = sorted(range(len(attributed)), key=lambda place: -abs(attributed[place][0]))
    enough = [place for place in ranked if moved and abs(attributed[place][0]) >= SMALLEST_SHARE * moved]
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
    here = [share for share in found if place in share.group.members]
    # Where no tree came down to this sentence alone, it is looked at among all others.
    alone = [share for share in here if len(share.group.members) == 1]
    others = frozenset(range(len(parts))) - {place}
    company = max(alone, key=lambda share: share.moved).company if alone else others
    spelled = [(word, tokens) for word in words(read, parts[place]) if (tokens := tokens_of(word, reading))]
    inner = PartsGame(answers, [tokens for _, tokens in spelled], hidden=game.hidden_by(company | {place}))
    attributed = attributions(shares(inner, united(inner.sizes), evaluations=WORD_EVALUATIONS), inner.sizes)
    before, after = inner.worth([frozenset(), frozenset(range(inner.players))])
    return Words(
        sentence=place,
        company=tuple(sorted(company)),
        label=after[0] - before[0],
        runner_up=after[1] - before[1],
        words=tuple(
            Attribution(part=word, label=output[0], runner_up=output[1])
            for (word, _), output in zip(spelled, attributed, strict=True)
        ),
    )


def _pair(output: Output) -> tuple[float, float]:
    label, runner_up = output
    return label, runner_up
