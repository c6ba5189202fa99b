"""The registry of models and their strategies, for whoever operates it. Each change is conditional and dated."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from runtime.adapters.dynamodb import Condition, Table
from triage.complaint import timestamp
from triage.errors import RegistryError, StrategyRefusedError, UnknownModelError
from triage.strategy import Strategy, check_arms
from triage.tables import CURRENT, VALIDATED, ModelInfo, ModelStrategy

Row = TypeVar("Row", bound=BaseModel)


class Registry:
    def __init__(self, models: Table, strategies: Table) -> None:
        self._models = models
        self._strategies = strategies

    def models(self) -> list[ModelInfo]:
        """Every well-formed row, by task."""
        return sorted(
            _valid(ModelInfo, self._models.scan()), key=lambda model: (model.task, model.model_id, model.revision)
        )

    def get(self, model_id: str, revision: str) -> ModelInfo:
        """Raises: UnknownModelError, or RegistryError where somebody wrote a row that is none."""
        row = self._models.get(model_id, revision)
        if row is None:
            raise UnknownModelError(f"{model_id}@{revision} is not registered; `triage models list` shows what is")
        return _checked(ModelInfo, row, f"{model_id}@{revision}")

    def register(self, model_id: str, revision: str, *, task: str, by: str) -> None:
        """Add a row; its bundle is then mirrored. A row that was not mirrored is tried again.

        Raises:
            RegistryError: the row exists for another task.
        """
        try:
            row = ModelInfo(
                model_id=model_id,
                revision=revision,
                task=task,
                registered_at=timestamp(datetime.now(UTC)),
                registered_by=by,
            )
        except ValidationError as error:
            problem = error.errors()[0]
            raise RegistryError(f"{problem['loc'][0]}: {problem['msg']}") from error
        if self._models.put_if_absent(row):
            return
        existing = self.get(model_id, revision)
        if existing.task != task:
            raise RegistryError(f"{model_id}@{revision} is registered for {existing.task}")
        if existing.bundle is None:
            # Any change of the row has it mirrored again, whether the last try failed or never ended.
            condition = Condition("attribute_not_exists(#bundle)", bundle="bundle")
            again = {"mirror_asked_at": row.registered_at}
            self._models.update(model_id, revision, assign=again, remove=("failure",), condition=condition)

    def activate(self, model_id: str, revision: str) -> None:
        """Raises: RegistryError if its bundle has not been mirrored."""
        model = self.get(model_id, revision)
        if model.bundle is None:
            raise RegistryError(
                f"{model_id}@{revision} is not mirrored: {model.failure or 'wait for the mirror function'}"
            )
        if model.state != "active":
            self._change(model, "active", activated_at=timestamp(datetime.now(UTC)))

    def retire(self, model_id: str, revision: str) -> None:
        """Its bundle stays, for replay.

        Raises:
            RegistryError: a strategy still names it.
        """
        model = self.get(model_id, revision)
        strategy = self.strategy(model.task)
        named = strategy.strategy.all_arms if strategy else ()
        if any((arm.model_id, arm.revision) == (model_id, revision) for arm in named):
            raise RegistryError(f"the strategy of {model.task} names {model_id}@{revision}; change the strategy first")
        if model.state != "retired":
            self._change(model, "retired")

    def strategy(self, task: str) -> ModelStrategy | None:
        row = self._strategies.get(task, CURRENT)
        return _checked(ModelStrategy, row, f"the strategy of {task}") if row else None

    def strategies(self) -> list[ModelStrategy]:
        """Every well-formed strategy in force."""
        return list(_valid(ModelStrategy, (row for row in self._strategies.scan() if row["entry"] == CURRENT)))

    def set_strategy(self, strategy: Strategy, *, by: str, replaces: int) -> ModelStrategy:
        """Put a strategy in force.

        replaces: the version that the caller saw, 0 where there was none.

        Raises:
            StrategyRefusedError: an arm is not active, or somebody else was faster.
        """
        check_arms(strategy, frozenset((m.task, m.model_id, m.revision) for m in self.models() if m.state == "active"))
        changed = ModelStrategy(
            task=strategy.task,
            version=replaces + 1,
            strategy=strategy,
            changed_at=timestamp(datetime.now(UTC)),
            changed_by=by,
        )
        seen = (
            Condition("#version = :seen", version="version").comparing(seen=replaces)
            if replaces
            else Condition("attribute_not_exists(#task)", task="task")
        )
        if not self._strategies.put(changed, condition=seen):
            raise StrategyRefusedError(
                f"the strategy of {strategy.task} is not at version {replaces} any more; look again"
            )
        # Of two writers the later one counts. Not by version, which begins anew where somebody deleted the row.
        older = Condition("attribute_not_exists(#task) OR #at <= :at", task="task", at="changed_at")
        self._strategies.put(
            changed.model_copy(update={"entry": VALIDATED}), condition=older.comparing(at=changed.changed_at)
        )
        return changed

    def _change(self, model: ModelInfo, state: str, **dates: str) -> None:
        seen = Condition("#state = :seen", state="state").comparing(seen=model.state)
        if not self._models.update(model.model_id, model.revision, assign={"state": state, **dates}, condition=seen):
            raise RegistryError(f"{model.model_id}@{model.revision} was changed by somebody else; look again")


def _checked(row_type: type[Row], row: dict[str, object], what: str) -> Row:
    try:
        return row_type.model_validate(row)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise RegistryError(f"{what} was written by hand and is ill-formed: {place}: {problem['msg']}") from error


def _valid(row_type: type[Row], rows: Iterable[dict[str, object]]) -> Iterable[Row]:
    """Rows edited by hand may be anything; a bad one hides no other."""
    for row in rows:
        try:
            yield row_type.model_validate(row)
        except ValidationError:
            continue
