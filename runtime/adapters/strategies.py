"""Strategies and the champion ledger: each change is one transaction with its entry and the states of its models."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table, Write, write_together
from triage.complaint import timestamp
from triage.errors import RegistryError, StrategyRefusedError
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import CURRENT, TAKING_PART, VALIDATED, ModelInfo, ModelStrategy
from triage.strategies.strategy import Strategy, check_arms
from triage.strategies.strategy_change import Change, succeed


def current_strategy(table: Table, task: str) -> ModelStrategy | None:
    """Raises: RegistryError where somebody wrote what is no strategy."""
    row = table.get(task, CURRENT)
    if row is None:
        return None
    try:
        return ModelStrategy.model_validate(row)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise RegistryError(
            f"the strategy of {task} was written by hand and is ill-formed: {place}: {problem['msg']}"
        ) from error


def current_strategies(table: Table) -> list[ModelStrategy]:
    """Every well-formed strategy in force."""
    found = []
    for row in table.scan():
        if row["entry"] == CURRENT:
            try:
                found.append(ModelStrategy.model_validate(row))
            except ValidationError:
                continue
    return found


def taking_part(models: Table) -> list[ModelInfo]:
    """Every well-formed row of a model that may answer or shadow."""
    found = []
    for state in TAKING_PART:
        for row in models.query(state, index="by_state"):
            try:
                found.append(ModelInfo.model_validate(row))
            except ValidationError:
                continue
    return found


class Strategies:
    def __init__(self, models: Table, strategies: Table, ledger: Table) -> None:
        self._models = models
        self._strategies = strategies
        self._ledger = ledger

    def get(self, task: str) -> ModelStrategy | None:
        """Raises: RegistryError where somebody wrote what is no strategy."""
        return current_strategy(self._strategies, task)

    def all(self) -> list[ModelStrategy]:
        """Every well-formed strategy in force."""
        return current_strategies(self._strategies)

    def history(self, task: str) -> Iterator[LedgerEntry]:
        """The ledger of a task, the oldest entry first."""
        return map(LedgerEntry.model_validate, self._ledger.query(task))

    def champion_at(self, task: str, moment: datetime) -> LedgerEntry | None:
        """The entry that was valid at this moment; one query."""
        found = self._ledger.latest(task, timestamp(moment))
        return LedgerEntry.model_validate(found) if found else None

    def change(self, change: Change, *, replaces: int) -> tuple[ModelStrategy, LedgerEntry]:
        """Make a change, or find that it was made before.

        replaces: the version that the caller saw, 0 where there was none.

        Raises:
            StrategyRefusedError: an arm is not active, or somebody else was faster.
        """
        task = change.strategy.task
        seen = self.get(task)
        last = self.last(task)
        made = self._made_before(task, change, seen)
        if made is not None:
            return made
        if (seen.version if seen else 0) != replaces:
            raise _overtaken(task, replaces)
        models = [model for model in taking_part(self._models) if model.task == task]
        check_arms(change.strategy, frozenset((m.task, m.model_id, m.revision) for m in models if m.takes_part))
        row, entry = succeed(seen, change, last=last, now=datetime.now(UTC))
        writes = [
            self._strategies.to_put(row, _unchanged(replaces)),
            self._strategies.to_put(row.model_copy(update={"entry": VALIDATED})),
            self._ledger.to_put(entry, Condition("attribute_not_exists(#task)", task="task")),
            *self._states(row.strategy, models),
        ]
        if not write_together(self._strategies.client, writes):
            made = self._made_before(task, change, self.get(task))
            if made is None:
                raise _overtaken(task, replaces)
            return made
        return row, entry

    def last(self, task: str) -> LedgerEntry | None:
        """Of all, also where its writer's clock was ahead of ours."""
        found = self._ledger.latest(task, "~")
        return LedgerEntry.model_validate(found) if found else None

    def _made_before(
        self, task: str, change: Change, row: ModelStrategy | None
    ) -> tuple[ModelStrategy, LedgerEntry] | None:
        """A replay finds its own entry; looking at all is cheap, since champions change rarely."""
        entry = next((entry for entry in self.history(task) if entry.change_id == change.change_id), None)
        return (row, entry) if entry is not None and row is not None else None

    def _states(self, strategy: Strategy, models: Iterable[ModelInfo]) -> Iterator[Write]:
        """Its arms take part still, its champion becomes the task's, and the champion before it a challenger."""
        named = {arm.version for arm in strategy.all_arms}
        champion = strategy.champion_arm.version
        for model in models:
            wanted = "champion" if model.version == champion else "challenger"
            seen = Condition("#state = :seen", state="state").comparing(seen=model.state)
            if model.state != wanted and (model.version in named or model.state == "champion"):
                yield self._models.to_update(model.model_id, model.revision, assign={"state": wanted}, condition=seen)
            elif model.version in named:
                yield self._models.to_check(model.model_id, model.revision, condition=seen)


def _unchanged(replaces: int) -> Condition:
    if replaces:
        return Condition("#version = :seen", version="version").comparing(seen=replaces)
    return Condition("attribute_not_exists(#task)", task="task")


def _overtaken(task: str, replaces: int) -> StrategyRefusedError:
    return StrategyRefusedError(f"the strategy of {task} is not at version {replaces} any more; look again")
