"""Which registered models judge a complaint: one for each task that has an active model, and its shadows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from triage.complaint import Complaint, timestamp
from triage.contracts import TaskName
from triage.letter import LETTER_VERSION
from triage.steps import ModelReference
from triage.story import SelectionEntry, sha256_of_text
from triage.strategies.registry import ModelInfo, ModelStrategy
from triage.strategies.strategy import Assignment, assign, sample
from triage.vulnerability import stated


def select_models(
    complaint: Complaint,
    *,
    active: Iterable[ModelInfo],
    strategies: Mapping[TaskName, ModelStrategy],
    now: datetime,
    code_version: str,
) -> SelectionEntry:
    """Return what is decided before inference: the models, and which sources call the customer vulnerable.

    strategies: by task. A complaint that cannot be read is judged by no model.
    """
    models: list[ModelReference] = []
    shadows: dict[str, ModelReference | None] = {}
    if not complaint.unreadable:
        candidates: defaultdict[str, list[ModelInfo]] = defaultdict(list)
        for model in active:
            if model.takes_part:
                candidates[model.task].append(model)
        models = [
            _answers(complaint.subject, candidates[task], strategies.get(task), now) for task in sorted(candidates)
        ]
        asked = {(model.task, model.version) for model in models}
        for task in sorted(strategies):
            for sampled in sample(strategies[task].strategy, complaint.subject):
                shadow = _arm(sampled, candidates.get(task, []), strategies[task], shadow=True)
                # A shadow's model may answer itself, where the models of the arms were retired.
                is_new = shadow is not None and (shadow.task, shadow.version) not in asked
                shadows[f"{task}/{sampled.arm.name}"] = shadow if is_new else None
    return SelectionEntry(
        complaint_id=complaint.complaint_id,
        code_version=code_version,
        selected_at=timestamp(now),
        received_at=complaint.received_at,
        text_sha256=None if complaint.unreadable else sha256_of_text(complaint.narrative),
        letter_version=LETTER_VERSION,
        subject=complaint.subject,
        models=tuple(models),
        shadows=tuple(shadow for shadow in shadows.values() if shadow is not None),
        missing_shadows=tuple(name for name, shadow in shadows.items() if shadow is None),
        stated=stated(complaint),
        unreadable=complaint.unreadable,
        doubts=complaint.doubts,
    )


def answering(candidates: Iterable[ModelInfo]) -> ModelInfo | None:
    """Return the model that answers for a task without a strategy: its champion, else the one active the longest.

    So a model that is registered later replaces none.
    """

    def seniority(model: ModelInfo) -> tuple[bool, str, str, str]:
        # Rows written by hand may lack the time; they come last.
        return model.state != "champion", model.activated_at or "~", model.model_id, model.revision

    return min(candidates, key=seniority, default=None)


def _answers(
    subject: str, candidates: list[ModelInfo], strategy: ModelStrategy | None, now: datetime
) -> ModelReference:
    """Return the model of the assigned arm, else the champion's, else the one that answers without a strategy.

    So triage goes on where a strategy names a model that was retired. The champion stands in for a challenger.
    """
    if strategy is not None:
        assignment = assign(strategy.strategy, subject)
        champion = assignment.model_copy(update={"arm": strategy.strategy.champion_arm})
        found = _arm(champion, candidates, strategy)
        if assignment.arm != champion.arm and not strategy.strategy.has_ended(now):
            found = _arm(assignment, candidates, strategy, stand_in=found) or found
        if found is not None:
            return found
    model = answering(candidates)
    if model is None:
        raise ValueError("a task without active models has no model to select")
    return _reference(model)


def _arm(
    assignment: Assignment,
    candidates: Iterable[ModelInfo],
    strategy: ModelStrategy,
    *,
    shadow: bool = False,
    stand_in: ModelReference | None = None,
) -> ModelReference | None:
    """Return the reference to the arm's model; None if that model is no longer active."""
    arm = assignment.arm
    for model in candidates:
        if (model.model_id, model.revision) == (arm.model_id, arm.revision):
            return _reference(
                model,
                arm=arm.name,
                bucket=assignment.bucket,
                strategy_version=strategy.version,
                shadow=shadow,
                stand_in=stand_in,
            )
    return None


def _reference(model: ModelInfo, **why: Any) -> ModelReference:
    """why: the fields of a reference that say why the model was selected."""
    if model.bundle is None:
        raise ValueError(f"{model.model_id}@{model.revision} has no mirrored bundle")
    return ModelReference(
        task=model.task,
        model_id=model.model_id,
        revision=model.revision,
        engine=model.bundle.engine,
        manifest_sha256=model.bundle.manifest_sha256,
        **why,
    )
