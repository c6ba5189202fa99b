"""The registry of models, for people who operate it. A change of rows that somebody else has changed is refused."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table, Write, valid_rows, write_together
from runtime.adapters.strategies import Strategies
from triage.complaint import timestamp
from triage.errors import RegistryError, UnknownModelError
from triage.selection import answering
from triage.strategies.ledger import Kind, LedgerEntry
from triage.strategies.registry import TAKING_PART, ModelInfo, ModelState
from triage.strategies.strategy_change import valid_from
from triage.validation import problems

CHECKED_TOGETHER = 97
"""Other rows that a transaction checks: it has 100 parts at most, and three of them are others."""


class Registry:
    def __init__(self, models: Table, strategies: Table, ledger: Table) -> None:
        self._models = models
        self._ledger = ledger
        self.strategies = Strategies(models, strategies, ledger)

    def models(self) -> list[ModelInfo]:
        """Return every valid row, by task."""
        return sorted(
            valid_rows(self._models.scan(), ModelInfo), key=lambda row: (row.task, row.model_id, row.revision)
        )

    def get(self, model_id: str, revision: str) -> ModelInfo:
        """Return the row. Raises: UnknownModelError; RegistryError if it, which people may edit, is not valid."""
        row = self._models.get(model_id, revision)
        if row is None:
            raise UnknownModelError(f"{model_id}@{revision} is not registered; `triage models list` shows what is")
        try:
            return ModelInfo.model_validate(row)
        except ValidationError as error:
            raise RegistryError(f"the row of {model_id}@{revision} is not valid: {problems(error)}") from error

    def answering(self, task: str) -> ModelInfo | None:
        """Return the model that answers for a task without a strategy."""
        return answering(model for model in self.models() if model.task == task and model.takes_part)

    def register(self, model_id: str, revision: str, *, task: str, by: str) -> None:
        """Add a row, whose bundle is then mirrored. A row without a bundle is mirrored again.

        Raises:
            RegistryError: a value is not valid, or the row exists for another task.
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
            raise RegistryError(problems(error)) from error
        if self._models.put_if_absent(row):
            return
        existing = self.get(model_id, revision)
        if existing.task != task:
            raise RegistryError(f"{model_id}@{revision} is registered for {existing.task}, not for {task}")
        if existing.bundle is None:
            # Any change of the row starts the mirror, whether the last attempt failed or never ended.
            condition = Condition("attribute_not_exists(#bundle)", bundle="bundle")
            again = {"mirror_asked_at": row.registered_at}
            self._models.update(model_id, revision, assign=again, remove=("failure",), condition=condition)

    def activate(self, model_id: str, revision: str, *, by: str) -> None:
        """Let a model take part: as the champion of a task that has none, else as a challenger.

        Raises:
            RegistryError: its bundle has not been mirrored.
        """
        model = self.get(model_id, revision)
        model.require_bundle()
        if model.state in TAKING_PART:
            return
        activated = {"activated_at": timestamp(datetime.now(UTC))}
        others = [row for row in self.models() if row.task == model.task and row.version != model.version]
        champion = next((other for other in others if other.state == "champion"), None)
        if champion is not None:
            # If the champion retires at the same moment, the task must not be left without one.
            still = self._models.to_check(champion.model_id, champion.revision, condition=_unchanged(champion))
            self._write(model, self._to_state(model, "challenger", **activated), still)
        else:
            self._crown(model, others, by=by, reason="the first model of its task", **activated)

    def retire(self, model_id: str, revision: str, *, by: str) -> None:
        """Take a model out. Its bundle stays, for replay. The longest active challenger succeeds a champion.

        Raises:
            RegistryError: a strategy names the model.
        """
        model = self.get(model_id, revision)
        strategy = self.strategies.get(model.task)
        if strategy is not None and model.version in {arm.version for arm in strategy.strategy.all_arms}:
            raise RegistryError(f"the strategy of {model.task} names {model.version}; change the strategy first")
        unnamed = self.strategies.to_check(model.task, version=strategy.version if strategy else None)
        if model.state == "champion":
            others = [row for row in self.models() if row.task == model.task and row.version != model.version]
            self._abdicate(model, others, unnamed, by=by)
        elif model.state != "retired":
            self._write(model, self._to_state(model, "retired"), unnamed)

    def _crown(self, model: ModelInfo, others: Iterable[ModelInfo], *, by: str, reason: str, **dates: str) -> None:
        """Make the model champion, unless one of `others`, of the same task, becomes it at the same moment."""
        entry = self._entry(model.task, "activate", model.version, by=by, reason=reason)
        self._write(model, self._to_state(model, "champion", **dates), entry, *self._still(others))

    def _abdicate(self, model: ModelInfo, others: Iterable[ModelInfo], unnamed: Write, *, by: str) -> None:
        """Retire a champion in favour of the longest active challenger; unnamed: checks that no strategy names it."""
        rest = list(others)
        successor = answering([other for other in rest if other.takes_part])
        crowned = [self._to_state(successor, "champion")] if successor else []
        # Another model that is activated at the same moment would be a challenger without a champion.
        still = () if successor else self._still(rest)
        entry = self._entry(
            model.task, "retire", successor.version if successor else None, by=by, reason="the champion retired"
        )
        self._write(model, self._to_state(model, "retired"), unnamed, *crowned, entry, *still)

    def _still(self, others: Iterable[ModelInfo]) -> Iterable[Write]:
        """Return checks that the rows have the states that were read, of those that were registered last."""
        latest = sorted(others, key=lambda row: row.registered_at or "", reverse=True)[:CHECKED_TOGETHER]
        return [self._models.to_check(row.model_id, row.revision, condition=_unchanged(row)) for row in latest]

    def _to_state(self, model: ModelInfo, state: ModelState, **dates: str) -> Write:
        assign = {"state": state, **dates}
        return self._models.to_update(model.model_id, model.revision, assign=assign, condition=_unchanged(model))

    def _entry(self, task: str, kind: Kind, champion: str | None, *, by: str, reason: str) -> Write:
        """Return the ledger entry of a task without a strategy, whose champion follows from its models' states."""
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
            raise RegistryError(
                f"somebody else changed {model.version}, or another model of {model.task}; "
                f"look again with `triage models list`"
            )


def _unchanged(model: ModelInfo) -> Condition:
    # A row written by hand may lack its state.
    unstated = "attribute_not_exists(#state) OR " if model.state == "registered" else ""
    return Condition(f"{unstated}#state = :seen", state="state").comparing(seen=model.state)
