"""Which registered models judge a complaint: one for each task that has an active model, and its shadows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from triage.complaint import Complaint, timestamp
from triage.steps import ModelReference
from triage.story import SelectionEntry, sha256_of_text
from triage.strategies.registry import ModelInfo, ModelStrategy
from triage.strategies.strategy import Arm, Assignment, assign, sample
from triage.vulnerability import stated


def select_models(
    complaint: Complaint,
    *,
    active: Iterable[ModelInfo],
    strategies: Mapping[str, ModelStrategy],
    now: datetime,
    code_version: str,
) -> SelectionEntry:
    """Everything that is decided before inference: the models, and who states vulnerability without one.

    A complaint that cannot be read is judged by no model.
    """
    candidates = {} if complaint.unreadable else _by_task(active)
    models = tuple(
        _reference(complaint.subject, candidates[task], strategies.get(task), now) for task in sorted(candidates)
    )
    sampled = () if complaint.unreadable else _sampled(complaint.subject, strategies)
    shadows = {f"{s.task}/{a.arm.name}": _shadow(a, candidates.get(s.task, []), s, models) for s, a in sampled}
    return SelectionEntry(
        complaint_id=complaint.complaint_id,
        code_version=code_version,
        selected_at=timestamp(now),
        received_at=complaint.received_at,
        text_sha256=None if complaint.unreadable else sha256_of_text(complaint.narrative),
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
        if model.takes_part:
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


def _reference(
    subject: str, candidates: list[ModelInfo], strategy: ModelStrategy | None, now: datetime
) -> ModelReference:
    """The assigned arm's model, else the champion's, else whoever answers without a strategy.

    The fall-backs keep triage going where a strategy names a model that was retired meanwhile. For a challenger that
    answers, the champion stands in.
    """
    if strategy is not None:
        assignment = assign(strategy.strategy, subject)
        champion = strategy.strategy.champion_arm
        chosen: ModelReference | None = None
        for arm in dict.fromkeys((champion, champion if strategy.strategy.has_ended(now) else assignment.arm)):
            model = _find(candidates, arm)
            if model is not None:
                chosen = _refer(
                    model,
                    arm=arm.name,
                    bucket=assignment.bucket,
                    strategy_version=strategy.version,
                    stand_in=chosen,
                )
        if chosen is not None:
            return chosen
    answers = answering(candidates)
    if answers is None:
        raise ValueError("nobody is asked for a task without candidates")
    return _refer(answers)


def answering(candidates: Iterable[ModelInfo]) -> ModelInfo | None:
    """Who answers for a task without a strategy: its champion, else whoever takes part longest.

    So a newcomer takes over from nobody.
    """

    def seniority(model: ModelInfo) -> tuple[bool, str, str, str]:
        # Rows written by hand may lack the time; they come last.
        return model.state != "champion", model.activated_at or "~", model.model_id, model.revision

    return min(candidates, key=seniority, default=None)


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
    stand_in: ModelReference | None = None,
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
        stand_in=stand_in,
    )
