"""Tries a model on letters of its own before it is registered: whether it reads, and answers as its labels say."""

from typing import Final

from triage.bundle import Manifest
from triage.errors import BundleUnfitError, ModelFailedError
from triage.inference.classify import checked
from triage.inference.engine import Engine, Scores, foreign

LETTERS: Final = (
    "I was charged twice for the same payment on my credit card and the bank has not refunded me.",
    "My mortgage application was refused after nine weeks, although I had sent every document that you asked for.",
    "Somebody opened an account in my name. Please remove it from my credit report and tell me who did it.",
    "The branch closed. I am 84, I cannot use the app, and nobody answers the telephone.",
)
"""Letters as customers write them, of four matters and no customer."""

LABELS_NAMED = 20
"""Letters that name a label are added for this many labels: a model that knows few words knows these."""

MAX_UNKNOWN = 0.2
"""Of the tokens of all letters together. A tokenizer that fits its model leaves out a few signs; one that was made up
because its file is missing leaves out every word."""

SAME = 1e-6
"""Scores that differ by no more are the same."""


def try_out(engine: Engine, manifest: Manifest) -> None:
    """Ask the model about every letter, and about one that is longer than it reads.

    Raises: BundleUnfitError saying which rule its answers break.
    """
    letters = (*LETTERS, *(f"I have a complaint about {label}." for label in manifest.labels[:LABELS_NAMED]))
    answers = [_score(engine, letter, manifest, what="a short letter") for letter in letters]
    _refuse_unless_it_reads(answers)
    # A text of n words has n tokens at least.
    words = " ".join(LETTERS).split()
    long = " ".join(words[place % len(words)] for place in range(2 * manifest.max_length))
    scores = _score(engine, long, manifest, what=f"a letter of more than {manifest.max_length} tokens")
    if not scores.tokens_seen <= manifest.max_length < scores.tokens_total:
        raise BundleUnfitError(
            f"a letter of {scores.tokens_total} tokens was cut to {scores.tokens_seen}, and the stated length is "
            f"{manifest.max_length}; correct model_max_length, or the tokenizer"
        )


def _score(engine: Engine, letter: str, manifest: Manifest, *, what: str) -> Scores:
    try:
        with foreign():
            scores = engine.score(letter)
        checked(scores, len(manifest.labels))
    except ModelFailedError as error:
        raise BundleUnfitError(
            f"{what} fails: {error}. Its length is stated as {manifest.max_length} tokens and it has "
            f"{len(manifest.labels)} labels: compare both with its weights"
        ) from None
    return scores


def _refuse_unless_it_reads(answers: list[Scores]) -> None:
    seen, unknown = (sum(getattr(one, name) for one in answers) for name in ("tokens_seen", "tokens_unknown"))
    if unknown > MAX_UNKNOWN * seen:
        raise BundleUnfitError(
            f"its tokenizer does not know {unknown} of {seen} tokens of plain letters; publish the tokenizer that the "
            "model was trained with, as tokenizer.json"
        )
    first = answers[0].logits
    if all(abs(score - same) <= SAME for one in answers for score, same in zip(one.logits, first, strict=True)):
        raise BundleUnfitError(
            f"it gives the same scores to {len(answers)} different letters, so it reads none of them; look at its "
            "tokenizer and its head"
        )
