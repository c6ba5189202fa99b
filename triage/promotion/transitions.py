"""From one strategy to the next: a challenger is let in, widened, promoted or withdrawn."""

from triage.strategies.strategy import BUCKETS, Arm, Strategy


def widened(strategy: Strategy, challenger: str, share: int) -> Strategy:
    """The challenger answers `share` basis points, be it a shadow until now or a narrower canary.

    Its buckets begin at 0 at each step, so whoever it answers stays with it.
    """
    arm = find(strategy, challenger)
    arms = (_with(strategy.champion_arm, BUCKETS - share), _with(arm, share))
    return _changed(strategy, kind="canary", arms=arms, shadows=_others(strategy.shadows, challenger))


def promoted(strategy: Strategy, challenger: str) -> Strategy:
    """The challenger answers all. Other shadows go on, and are compared with the new champion from here on."""
    shadows = _others(strategy.shadows, challenger)
    return _changed(
        strategy,
        kind="shadow" if shadows else "single",
        champion=challenger,
        arms=(_with(find(strategy, challenger), BUCKETS),),
        shadows=shadows,
        ends_at=None,
    )


def withdrawn(strategy: Strategy, challenger: str) -> Strategy:
    """The champion answers as much more as the challenger did; challengers later by name move up to its buckets."""
    answering = _others(strategy.arms, challenger)
    shadows = _others(strategy.shadows, challenger)
    champion = _with(strategy.champion_arm, BUCKETS - sum(a.share for a in answering if a.name != strategy.champion))
    arms = tuple(champion if arm.name == strategy.champion else arm for arm in answering)
    if len(arms) > 1:
        return _changed(strategy, arms=arms, shadows=shadows)
    return _changed(strategy, kind="shadow" if shadows else "single", arms=arms, shadows=shadows, ends_at=None)


def find(strategy: Strategy, challenger: str) -> Arm:
    """Raises: LookupError if no challenger has this name."""
    for arm in (*strategy.challengers, *strategy.shadows):
        if arm.name == challenger:
            return arm
    raise LookupError(f"{challenger!r} is no challenger of {strategy.task}")


def _with(arm: Arm, share: int) -> Arm:
    return arm.model_copy(update={"share": share})


def _others(arms: tuple[Arm, ...], name: str) -> tuple[Arm, ...]:
    return tuple(arm for arm in arms if arm.name != name)


def _changed(strategy: Strategy, **changes: object) -> Strategy:
    """Validated anew: a copy alone would not be."""
    return Strategy.model_validate(strategy.model_dump() | _plain(changes))


def _plain(changes: dict[str, object]) -> dict[str, object]:
    return {
        name: tuple(arm.model_dump() for arm in value) if isinstance(value, tuple) else value
        for name, value in changes.items()
    }
