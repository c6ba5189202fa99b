"""From one strategy to the next: a challenger is widened, promoted or withdrawn, or an earlier champion comes back."""

from triage.errors import StrategyRefusedError
from triage.strategies.ledger import LedgerEntry
from triage.strategies.strategy import BUCKETS, Arm, Strategy


def widened(strategy: Strategy, challenger: str, share: int) -> Strategy:
    """Let a shadow, or a narrower canary, answer `share` basis points.

    Its buckets begin at 0 at each step, so every subject that it answers stays with it.
    """
    arm = challenger_named(strategy, challenger)
    arms = (_with(strategy.champion_arm, BUCKETS - share), _with(arm, share))
    return _changed(strategy, kind="canary", arms=arms, shadows=_others(strategy.shadows, challenger))


def promoted(strategy: Strategy, challenger: str) -> Strategy:
    """Let the challenger answer everything. Other shadows continue, compared with the new champion from now on."""
    shadows = _others(strategy.shadows, challenger)
    return _changed(
        strategy,
        kind="shadow" if shadows else "single",
        champion=challenger,
        arms=(_with(challenger_named(strategy, challenger), BUCKETS),),
        shadows=shadows,
        ends_at=None,
    )


def withdrawn(strategy: Strategy, challenger: str) -> Strategy:
    """Give the challenger's share back to the champion. Challengers that follow it by name take over lower buckets."""
    answering = _others(strategy.arms, challenger)
    shadows = _others(strategy.shadows, challenger)
    champion = _with(strategy.champion_arm, BUCKETS - sum(a.share for a in answering if a.name != strategy.champion))
    arms = tuple(champion if arm.name == strategy.champion else arm for arm in answering)
    if len(arms) > 1:
        return _changed(strategy, arms=arms, shadows=shadows)
    return _changed(strategy, kind="shadow" if shadows else "single", arms=arms, shadows=shadows, ends_at=None)


def restored(strategy: Strategy, history: tuple[LedgerEntry, ...], *, version: int) -> Strategy:
    """Return the strategy of a rollback: without challengers or, if there are none, with the champion before.

    version: of the new strategy; it names the experiment.

    Raises:
        StrategyRefusedError: the ledger contains no other champion.
    """
    if strategy.is_experiment:
        for arm in strategy.contenders:
            strategy = withdrawn(strategy, arm.name)
        return strategy
    champion = strategy.champion_arm.version
    before = next((e.champion for e in reversed(history) if e.champion not in (None, champion)), None)
    if before is None:
        raise StrategyRefusedError(
            f"{champion} is the only champion that {strategy.task} has had; set another strategy instead"
        )
    model_id, _, revision = before.partition("@")
    arm = Arm(name="champion", model_id=model_id, revision=revision, share=BUCKETS)
    alone = {"kind": "single", "experiment": f"rollback-{version}", "salt": "", "champion": arm.name, "ends_at": None}
    return _changed(strategy, **alone, arms=(arm,), shadows=())


def challenger_named(strategy: Strategy, name: str) -> Arm:
    """Return the arm, also of a shadow. Raises: LookupError if no challenger or shadow has this name."""
    for arm in strategy.contenders:
        if arm.name == name:
            return arm
    raise LookupError(f"{strategy.task} has no challenger named {name!r}")


def _with(arm: Arm, share: int) -> Arm:
    return arm.model_copy(update={"share": share})


def _others(arms: tuple[Arm, ...], name: str) -> tuple[Arm, ...]:
    return tuple(arm for arm in arms if arm.name != name)


def _changed(strategy: Strategy, **changes: object) -> Strategy:
    """Return a validated copy; `model_copy` alone would not validate it."""
    return Strategy.model_validate(strategy.model_copy(update=changes).model_dump())
