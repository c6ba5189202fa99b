"""An explanation in plain English, made from its figures alone: it quotes nobody."""

from collections.abc import Iterator, Sequence

from triage.explanation.record import Explained

MOST_NAMED = 3
SMALLEST_NAMED = 0.005
"""Changes of less than half a percentage point are not named: they would be shown as 0."""


def rationale(explained: Explained, *, model: str, people: int) -> str:
    """Return the paragraph that is stored with an explanation. people: number of feedback statements about it."""
    label, runner_up = explained.full_value
    sentences = [
        f"The model {model} gives \u201c{explained.label}\u201d a probability of {probability(label)}; "
        f"with every word hidden it would be {probability(explained.base_value[0])}.",
        "Asked again, the model gave the recorded answer."
        if explained.reproduced
        else "Asked again, the model did NOT give the recorded answer, but "
        f"\u201c{explained.replayed_label}\u201d with {probability(explained.replayed_confidence)}: "
        "this explanation is not about the decision as it was made.",
        *_contributions([found.label for found in explained.sentences]),
        f"The runner-up is \u201c{explained.runner_up}\u201d with {probability(runner_up)}.",
        *_contribution_to_runner_up([found.runner_up for found in explained.sentences]),
    ]
    cut = explained.truncation
    if cut.tokens_total > cut.tokens_seen:
        sentences.append(
            f"The letter is longer than the model reads: it read {cut.tokens_seen} of {cut.tokens_total} tokens, "
            "and the rest had no influence on its answer."
        )
    statements = {0: "No feedback statement", 1: "One feedback statement"}.get(people, f"{people} feedback statements")
    sentences.append(f"{statements} followed the decision.")
    if not explained.checks.passed:
        failures = "; ".join(explained.checks.failures)
        sentences.append(f"This explanation FAILED its checks, so do not rely on it: {failures}.")
    return " ".join(sentences)


def _contributions(changes: Sequence[float]) -> Iterator[str]:
    """Yield which sentences raised and lowered the probability most. changes: one for each sentence, in order."""
    ranked = sorted(enumerate(changes, start=1), key=lambda item: -item[1])
    raised = [item for item in ranked[:MOST_NAMED] if item[1] >= SMALLEST_NAMED]
    lowered = [item for item in ranked[::-1][:MOST_NAMED] if item[1] <= -SMALLEST_NAMED]
    yield f"{_named(raised)} contributed most ({_listed(raised)})." if raised else "No sentence raised the probability."
    if lowered:
        yield f"{_named(lowered)} lowered the probability ({_listed(lowered)})."


def _contribution_to_runner_up(changes: Sequence[float]) -> Iterator[str]:
    number, most = max(enumerate(changes, start=1), key=lambda item: item[1])
    if most >= SMALLEST_NAMED:
        yield f"Sentence {number} contributed most to it ({_listed([(number, most)])})."


def _named(items: Sequence[tuple[int, float]]) -> str:
    """
    >>> _named([(2, 0.3)]), _named([(2, 0.3), (5, 0.1), (3, 0.1)])
    ('Sentence 2', 'Sentences 2, 5 and 3')
    """
    numbers = [str(number) for number, _ in items]
    return f"Sentence {numbers[0]}" if len(numbers) == 1 else f"Sentences {', '.join(numbers[:-1])} and {numbers[-1]}"


def _listed(items: Sequence[tuple[int, float]]) -> str:
    return ", ".join(f"{100 * change:+.1f}" for _, change in items) + " points"


def checks_in_words(explained: Explained) -> Iterator[tuple[str, str]]:
    """Yield the name of each check and its outcome."""
    found, faithfulness = explained.checks, explained.checks.faithfulness
    yield "checks", "passed" if found.passed else f"FAILED: {'; '.join(found.failures)}"
    yield "recorded answer repeated", "yes" if explained.reproduced else f"NO: {explained.replayed_label}"
    yield "additivity residual", f"{found.additivity_residual:.1g}"
    if faithfulness is not None:
        for name, ranked, at_random in (
            ("hidden", faithfulness.deletion, faithfulness.deletion_at_random),
            ("shown", faithfulness.insertion, faithfulness.insertion_at_random),
        ):
            words = f"{probability(ranked)} ({probability(at_random)} in random order)"
            yield f"probability while the strongest sentences are {name} first", words
    if found.stability is not None:
        yield "lowest agreement of two divisions of the letter", f"{found.stability:.2f}"


def probability(value: float) -> str:
    """
    >>> probability(0.123), probability(0.0004), probability(0.99999)
    ('12.3 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    if value < 0.001:
        return "less than 0.1 %"
    return "more than 99.9 %" if value > 0.999 else f"{100 * value:.1f} %"
