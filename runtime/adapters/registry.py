"""The registry of models and their strategies, for whoever operates it. Each change is conditional and dated."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from runtime.adapters.dynamodb import Condition, Table, Write, write_together
from runtime.adapters.strategies import Strategies
from triage.complaint import timestamp
from triage.errors import RegistryError, UnknownModelError
from triage.selection import answering
from triage.strategies.ledger import Kind, LedgerEntry
from triage.strategies.registry import TAKING_PART, ModelInfo, ModelState
from triage.strategies.strategy_change import valid_from

Row = TypeVar("Row", bound=BaseModel)

CHECKED_TOGETHER = 98
"""Other rows; a transaction holds 100 parts."""


class Registry:
    def __init__(self, models: Table, strategies: Table, ledger: Table) -> None:
        self._models = models
        self._ledger = ledger
        self.strategies = Strategies(models, strategies, ledger)

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

    def activate(self, model_id: str, revision: str, *, by: str) -> None:
        """Let it take part: as the champion of a task that has none, else as a challenger.

        Raises:
            RegistryError: its bundle has not been mirrored.
        """
        model = self.get(model_id, revision)
        if model.bundle is None:
            raise RegistryError(
                f"{model_id}@{revision} is not mirrored: {model.failure or 'wait for the mirror function'}"
            )
        if model.state in TAKING_PART:
            return
        activated = {"activated_at": timestamp(datetime.now(UTC))}
        others = [row for row in self.models() if row.task == model.task and row.version != model.version]
        if any(other.state == "champion" for other in others):
            self._change(model, "challenger", **activated)
        else:
            self._crown(model, others, by=by, reason="the first model of its task", **activated)

    def retire(self, model_id: str, revision: str, *, by: str) -> None:
        """Its bundle stays, for replay. Where it was champion, the challenger that is active longest succeeds it.

        Raises:
            RegistryError: a strategy still names it.
        """
        model = self.get(model_id, revision)
        strategy = self.strategies.get(model.task)
        if strategy is not None and model.version in {arm.version for arm in strategy.strategy.all_arms}:
            raise RegistryError(f"the strategy of {model.task} names {model.version}; change the strategy first")
        if model.state == "champion":
            others = (other for other in self.models() if other.task == model.task and other != model)
            self._abdicate(model, answering([other for other in others if other.takes_part]), by=by)
        elif model.state != "retired":
            self._change(model, "retired")

    def _crown(self, model: ModelInfo, others: Iterable[ModelInfo], *, by: str, reason: str, **dates: str) -> None:
        """others: of the task, none of which may become its champion in the same moment."""
        write = self._models.to_update(
            model.model_id, model.revision, assign={"state": "champion", **dates}, condition=_seen(model)
        )
        latest = sorted(others, key=lambda row: row.registered_at or "", reverse=True)[:CHECKED_TOGETHER]
        checks = [self._models.to_check(row.model_id, row.revision, condition=_seen(row)) for row in latest]
        entry = self._entry(model.task, "activate", model.version, by=by, reason=reason)
        self._write(model, write, entry, *checks)

    def _abdicate(self, model: ModelInfo, successor: ModelInfo | None, *, by: str) -> None:
        writes = [
            self._models.to_update(row.model_id, row.revision, assign={"state": state}, condition=_seen(row))
            for row, state in ((model, "retired"), (successor, "champion"))
            if row is not None
        ]
        champion = successor.version if successor else None
        self._write(model, *writes, self._entry(model.task, "retire", champion, by=by, reason="the champion retired"))

    def _entry(self, task: str, kind: Kind, champion: str | None, *, by: str, reason: str) -> Write:
        """Of a task without a strategy: there a change of the champion is a change of its model's state."""
        last = self.strategies.last(task)
        entry = LedgerEntry(
            task=task,
            valid_from=valid_from(last, datetime.now(UTC)),
            kind=kind,
            champion=champion,
            previous=last.champion if last else None,
            strategy_version=0,
            actor=by,
            reason=reason,
            change_id=uuid4().hex,
        )
        return self._ledger.to_put(entry, Condition("attribute_not_exists(#task)", task="task"))

    def _write(self, model: ModelInfo, *writes: Write) -> None:
        if not write_together(self._ledger.client, writes):
            raise _overtaken(model)

    def _change(self, model: ModelInfo, state: ModelState, **dates: str) -> None:
        changed = {"state": state, **dates}
        if not self._models.update(model.model_id, model.revision, assign=changed, condition=_seen(model)):
            raise _overtaken(model)


def _seen(model: ModelInfo) -> Condition:
    # A row written by hand may lack its state.
    unstated = "attribute_not_exists(#state) OR " if model.state == "registered" else ""
    return Condition(f"{unstated}#state = :seen", state="state").comparing(seen=model.state)


def _overtaken(model: ModelInfo) -> RegistryError:
    return RegistryError(f"{model.version}, or another model of {model.task}, was changed by somebody else; look again")


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
