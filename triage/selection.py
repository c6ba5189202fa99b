"""Which registered models judge a complaint: one for each task that has an active model, and its shadows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from triage.complaint import Complaint
from triage.steps import ModelReference
from triage.strategy import Arm, Assignment, assign, sample
from triage.tables import ModelInfo, ModelStrategy, SelectionEntry
from triage.vulnerability import stated


def select_models(
    complaint: Complaint,
    *,
    active: Iterable[ModelInfo],
    strategies: Mapping[str, ModelStrategy],
    selected_at: str,
    code_version: str,
) -> SelectionEntry:
    """Everything that is decided before inference: the models, and who states vulnerability without one.

    A complaint that cannot be read is judged by no model.
    """
    candidates = {} if complaint.unreadable else _by_task(active)
    models = tuple(_reference(complaint.subject, candidates[task], strategies.get(task)) for task in sorted(candidates))
    sampled = () if complaint.unreadable else _sampled(complaint.subject, strategies)
    shadows = {f"{s.task}/{a.arm.name}": _shadow(a, candidates.get(s.task, []), s, models) for s, a in sampled}
    return SelectionEntry(
        complaint_id=complaint.complaint_id,
        code_version=code_version,
        selected_at=selected_at,
        subject=complaint.subject,
        models=models,
        shadows=tuple(shadow for shadow in shadows.values() if shadow is not None),
        missing_shadows=tuple(name for name, shadow in shadows.items() if shadow is None),
        stated=stated(complaint),
        unreadable=complaint.unreadable,
        doubts=complaint.doubts,
    )


def _by_task(active: Iterable[ModelInfo]) -> dict[str, list[ModelInfo]]:
    candidates: dict[str, list[ModelInfo]] = defaultdict(list)
    for model in active:
        if model.state == "active" and model.bundle is not None:
            candidates[model.task].append(model)
    return candidates


def _sampled(subject: str, strategies: Mapping[str, ModelStrategy]) -> list[tuple[ModelStrategy, Assignment]]:
    return [
        (strategies[task], assignment)
        for task in sorted(strategies)
        for assignment in sample(strategies[task].strategy, subject)
    ]


def _shadow(
    assignment: Assignment, candidates: list[ModelInfo], strategy: ModelStrategy, answering: Iterable[ModelReference]
) -> ModelReference | None:
    """None where its model is not there any more, or answers itself because no arm's model is there."""
    model = _find(candidates, assignment.arm)
    if model is None or any(
        (model.task, model.model_id, model.revision) == (a.task, a.model_id, a.revision) for a in answering
    ):
        return None
    return _refer(
        model, arm=assignment.arm.name, bucket=assignment.bucket, strategy_version=strategy.version, shadow=True
    )


def _reference(subject: str, candidates: list[ModelInfo], strategy: ModelStrategy | None) -> ModelReference:
    """The assigned arm's model, else the champion's, else the one that has been active longest.

    The fall-backs keep triage going where a strategy names a model that was retired meanwhile, and keep a newcomer
    from taking over a task that has no strategy.
    """
    if strategy is not None:
        assignment = assign(strategy.strategy, subject)
        for arm in (assignment.arm, strategy.strategy.champion_arm):
            model = _find(candidates, arm)
            if model is not None:
                return _refer(model, arm=arm.name, bucket=assignment.bucket, strategy_version=strategy.version)
    # Rows written by hand may lack the time; they come last.
    return _refer(min(candidates, key=lambda model: (model.activated_at or "~", model.model_id, model.revision)))


def _find(candidates: list[ModelInfo], arm: Arm) -> ModelInfo | None:
    matches = (model for model in candidates if (model.model_id, model.revision) == (arm.model_id, arm.revision))
    return next(matches, None)


def _refer(
    model: ModelInfo,
    *,
    arm: str | None = None,
    bucket: int | None = None,
    strategy_version: int | None = None,
    shadow: bool = False,
) -> ModelReference:
    if model.bundle is None:
        raise ValueError(f"{model.model_id}@{model.revision} has no mirrored bundle")
    return ModelReference(
        task=model.task,
        model_id=model.model_id,
        revision=model.revision,
        engine=model.bundle.engine,
        manifest_sha256=model.bundle.manifest_sha256,
        arm=arm,
        bucket=bucket,
        strategy_version=strategy_version,
        shadow=shadow,
    )
