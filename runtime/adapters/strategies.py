"""Strategies and the champion ledger. One transaction writes a change, its ledger entry and its models' states."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table, Write, valid_rows, write_together
from triage.complaint import timestamp
from triage.errors import RegistryError, StrategyRefusedError
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import CURRENT, TAKING_PART, VALIDATED, ModelInfo, ModelStrategy
from triage.strategies.strategy import Strategy, check_arms
from triage.strategies.strategy_change import Change, succeed
from triage.validation import problems


def current_strategy(table: Table, task: str) -> ModelStrategy | None:
    """Return the row `CURRENT`. Raises: RegistryError if it, which people may edit, is not a valid strategy."""
    row = table.get(task, CURRENT)
    if row is None:
        return None
    try:
        return ModelStrategy.model_validate(row)
    except ValidationError as error:
        raise RegistryError(f"the current strategy of {task} is not valid: {problems(error)}") from error


def current_strategies(table: Table) -> list[ModelStrategy]:
    """Return every valid current strategy."""
    return list(valid_rows((row for row in table.scan() if row["entry"] == CURRENT), ModelStrategy))


def taking_part(models: Table) -> list[ModelInfo]:
    """Return every valid row of a model that may answer or predict as a shadow."""
    rows = (row for state in TAKING_PART for row in models.query(state, index="by_state"))
    return list(valid_rows(rows, ModelInfo))


class Strategies:
    def __init__(self, models: Table, strategies: Table, ledger: Table) -> None:
        self._models = models
        self._strategies = strategies
        self._ledger = ledger

    def get(self, task: str) -> ModelStrategy | None:
        """Raises: RegistryError if the row, which people may edit, is not a valid strategy."""
        return current_strategy(self._strategies, task)

    def all(self) -> list[ModelStrategy]:
        """Return every valid current strategy."""
        return current_strategies(self._strategies)

    def to_check(self, task: str, *, version: int | None) -> Write:
        """Return the condition that the strategy of a task still has this version; None if there was none."""
        condition = (
            Condition("attribute_not_exists(#task)", task="task")
            if version is None
            else Condition("#version = :seen", version="version").comparing(seen=version)
        )
        return self._strategies.to_check(task, CURRENT, condition=condition)

    def history(self, task: str) -> Iterator[LedgerEntry]:
        """Yield the ledger of a task, the oldest entry first."""
        return map(LedgerEntry.model_validate, self._ledger.query(task))

    def champion_at(self, task: str, moment: datetime) -> LedgerEntry | None:
        """Return the ledger entry that was valid at this moment."""
        return self._latest(task, timestamp(moment))

    def last(self, task: str) -> LedgerEntry | None:
        """Return the last ledger entry, even if its writer's clock was ahead of this one."""
        return self._latest(task, "~")

    def change(self, change: Change, *, replaces: int) -> tuple[ModelStrategy, LedgerEntry]:
        """Make a change, or return it if it was made before.

        replaces: the version that the caller saw, 0 where there was none.

        Raises:
            StrategyRefusedError: an arm is not active, or the strategy has another version by now.
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
        absent = Condition("attribute_not_exists(#task)", task="task")
        unchanged = Condition("#version = :seen", version="version").comparing(seen=replaces)
        writes = [
            self._strategies.to_put(row, unchanged if replaces else absent),
            self._strategies.to_put(row.model_copy(update={"entry": VALIDATED})),
            self._ledger.to_put(entry, absent),
            *self._states(row.strategy, models),
        ]
        if not write_together(self._strategies.client, writes):
            made = self._made_before(task, change, self.get(task))
            if made is None:
                raise _overtaken(task, replaces)
            return made
        return row, entry

    def _latest(self, task: str, until: str) -> LedgerEntry | None:
        found = self._ledger.latest(task, until)
        return LedgerEntry.model_validate(found) if found else None

    def _made_before(
        self, task: str, change: Change, row: ModelStrategy | None
    ) -> tuple[ModelStrategy, LedgerEntry] | None:
        """Find the entry of a repeated change. Reading the whole ledger is cheap, because champions change rarely."""
        entry = next((entry for entry in self.history(task) if entry.change_id == change.change_id), None)
        return (row, entry) if entry is not None and row is not None else None

    def _states(self, strategy: Strategy, models: Iterable[ModelInfo]) -> Iterator[Write]:
        """Yield writes that give champion and challengers their states, and fail if a state changed meanwhile."""
        named = {arm.version for arm in strategy.all_arms}
        champion = strategy.champion_arm.version
        for model in models:
            wanted = "champion" if model.version == champion else "challenger"
            seen = Condition("#state = :seen", state="state").comparing(seen=model.state)
            if model.state != wanted and (model.version in named or model.state == "champion"):
                yield self._models.to_update(model.model_id, model.revision, assign={"state": wanted}, condition=seen)
            elif model.version in named:
                yield self._models.to_check(model.model_id, model.revision, condition=seen)


def _overtaken(task: str, replaces: int) -> StrategyRefusedError:
    return StrategyRefusedError(
        f"somebody else changed the strategy of {task}: it is not at version {replaces} any more; "
        f"look again with `triage strategy show {task}`"
    )
