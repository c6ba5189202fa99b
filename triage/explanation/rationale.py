"""What an explanation says in plain English, made from its figures alone: it quotes nobody."""

from collections.abc import Iterator, Sequence

from triage.explanation.record import Attribution, Explained

NAMED = 3
SMALLEST_NAMED = 0.005
"""Half a point of probability: less would read as none."""


def rationale(explained: Explained, *, model: str, people: int) -> str:
    """people: how many statements of persons followed the decision."""
    return " ".join(
        sentence
        for sentence in (
            _decision(explained, model),
            _replay(explained),
            _moved(explained),
            _runner_up(explained),
            _cut(explained),
            _people(people),
            _checks(explained),
        )
        if sentence
    )


def checks_in_words(explained: Explained) -> Iterator[tuple[str, str]]:
    """What was checked, and what came of it."""
    found = explained.checks
    yield "checks", "passed" if found.passed else f"FAILED: {'; '.join(found.failures)}"
    yield "recorded answer reproduced", "yes" if explained.reproduced else f"NO: {explained.replayed_label}"
    yield "additivity residual", f"{found.additivity_residual:.1g}"
    if found.faithfulness is not None:
        faithful = found.faithfulness
        named, chance = percent(faithful.deletion), percent(faithful.deletion_at_random)
        yield "probability while hiding what it names", f"{named} ({chance} at random)"
        named, chance = percent(faithful.insertion), percent(faithful.insertion_at_random)
        yield "probability while showing what it names", f"{named} ({chance} at random)"
    if found.stability is not None:
        yield "lowest agreement of two divisions", f"{found.stability:.2f}"


def _decision(explained: Explained, model: str) -> str:
    base, full = explained.base_value[0], explained.full_value[0]
    return (
        f"The model {model} gives \u201c{explained.label}\u201d a probability of {percent(full)}; "
        f"with every word hidden it would be {percent(base)}."
    )


def _replay(explained: Explained) -> str:
    if explained.reproduced:
        return "Asked again, it gave the answer that was recorded."
    return (
        f"Asked again, it did NOT give the answer that was recorded, but \u201c{explained.replayed_label}\u201d with "
        f"{percent(explained.replayed_confidence)}: what follows is not about the decision as it was made."
    )


def _moved(explained: Explained) -> str:
    ranked = sorted(enumerate(explained.sentences, start=1), key=lambda item: -item[1].label)
    raised = [_said(n, found) for n, found in ranked[:NAMED] if found.label >= SMALLEST_NAMED]
    lowered = [_said(n, found) for n, found in ranked[::-1][:NAMED] if found.label <= -SMALLEST_NAMED]
    speaks = f"Most for it speaks {_listed(raised)}." if raised else "No sentence speaks for it."
    against = f" Against it speaks {_listed(lowered)}." if lowered else ""
    return speaks + against


def _runner_up(explained: Explained) -> str:
    number, most = max(enumerate(explained.sentences, start=1), key=lambda item: item[1].runner_up)
    gain = points(most.runner_up)
    speaks = f"; most for that speaks sentence {number} ({gain})" if most.runner_up >= SMALLEST_NAMED else ""
    return f"Next comes \u201c{explained.runner_up}\u201d with {percent(explained.full_value[1])}{speaks}."


def _cut(explained: Explained) -> str:
    cut = explained.truncation
    if cut.tokens_total <= cut.tokens_seen:
        return ""
    return (
        f"The letter is longer than the model reads: it saw {cut.tokens_seen} of {cut.tokens_total} tokens, "
        "and nothing behind them had a part in its answer."
    )


def _people(people: int) -> str:
    return {0: "No person has said anything about it.", 1: "One statement of a person followed it."}.get(
        people, f"{people} statements of persons followed it."
    )


def _checks(explained: Explained) -> str:
    if explained.checks.passed:
        return ""
    return f"This explanation FAILED its checks and should not be relied on: {'; '.join(explained.checks.failures)}."


def _said(number: int, found: Attribution) -> str:
    return f"sentence {number} ({points(found.label)})"


def _listed(said: Sequence[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def percent(probability: float) -> str:
    """
    >>> percent(0.123), percent(0.0004), percent(0.99999)
    ('12.3 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    if probability < 0.001:
        return "less than 0.1 %"
    return "more than 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


def points(change: float) -> str:
    """
    >>> points(0.25), points(-0.031)
    ('+25.0 points', '-3.1 points')
    """
    return f"{100 * change:+.1f} points"
