"""Back to what was: without challengers or, where there are none, with the champion before."""

from triage.errors import StrategyRefusedError
from triage.promotion.transitions import withdrawn
from triage.strategies.ledger import LedgerEntry
from triage.strategies.strategy import BUCKETS, Arm, Strategy


def restored(strategy: Strategy, history: tuple[LedgerEntry, ...], *, version: int) -> Strategy:
    """The strategy that a rollback puts in force. version: that it will have; it names the experiment.

    Raises:
        StrategyRefusedError: the ledger knows no other champion.
    """
    if strategy.is_experiment:
        for arm in (*strategy.challengers, *strategy.shadows):
            strategy = withdrawn(strategy, arm.name)
        return strategy
    champion = strategy.champion_arm.version
    before = next((e.champion for e in reversed(history) if e.champion not in (None, champion)), None)
    if before is None:
        raise StrategyRefusedError(f"{champion} is the only champion that {strategy.task} has had")
    model_id, _, revision = before.partition("@")
    arm = Arm(name="champion", model_id=model_id, revision=revision, share=BUCKETS)
    return Strategy(
        task=strategy.task,
        kind="single",
        experiment=f"rollback-{version}",
        champion=arm.name,
        arms=(arm,),
        gates=strategy.gates,
        guardrails=strategy.guardrails,
        schedule=strategy.schedule,
    )
