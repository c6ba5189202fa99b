"""How the models of a task share traffic: a validated document, and an assignment that is a pure function."""

import hashlib
from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from triage.contracts import Contract, ModelId, Revision, TaskName
from triage.errors import StrategyRefusedError
from triage.promotion.gates import Gates, Guardrails, Schedule

BUCKETS = 10_000
"""One bucket is one basis point of the traffic."""


class Arm(Contract):
    """A model version and its share of the traffic, in basis points."""

    name: str = Field(min_length=1, max_length=48)
    model_id: ModelId
    revision: Revision
    share: int = Field(ge=0, le=BUCKETS)

    @property
    def version(self) -> str:
        return f"{self.model_id}@{self.revision}"


class Strategy(Contract):
    """The champion arm answers whatever no other arm owns.

    single and shadow: the champion answers all. canary: one challenger answers its share, which the schedule widens.
    ab: challengers answer fixed shares until `ends_at`, from when on the champion answers all.
    shadows: predict beside whoever answers, each for its own share of the subjects, and never answer themselves.
    gates, guardrails, schedule: what the promotion engine asks of challengers, and how it lets them in.
    """

    task: TaskName
    kind: Literal["single", "canary", "ab", "shadow"]
    # No separator inside: two experiments must never deal alike by accident.
    experiment: str = Field(min_length=1, max_length=64, pattern=r"^[^|]+$")
    salt: str = Field(default="", max_length=64, pattern=r"^[^|]*$")
    champion: str
    arms: tuple[Arm, ...] = Field(min_length=1)
    shadows: tuple[Arm, ...] = ()
    ends_at: AwareDatetime | None = None
    gates: Gates = Gates()
    guardrails: Guardrails = Guardrails()
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.kind in {"single", "shadow"}) != (len(self.arms) == 1):
            raise ValueError("a single and a shadow strategy have one arm, every other has several")
        if self.kind == "canary" and len(self.arms) != 2:
            raise ValueError("a canary strategy has one challenger beside the champion; with several it is ab")
        if (self.kind == "ab") != (self.ends_at is not None):
            raise ValueError("an ab strategy, and no other, says when it ends")
        if self.kind == "single" and self.shadows:
            raise ValueError("a single strategy has no shadows; its kind is shadow")
        if self.kind == "shadow" and not self.shadows:
            raise ValueError("a shadow strategy has at least one shadow beside its arm")
        total = sum(arm.share for arm in self.arms)
        if total != BUCKETS:
            raise ValueError(f"the arms' shares sum to {total}, not {BUCKETS} basis points")
        if len({arm.name for arm in self.all_arms}) != len(self.all_arms):
            raise ValueError("two arms have the same name")
        if len({(arm.model_id, arm.revision) for arm in self.all_arms}) != len(self.all_arms):
            raise ValueError("two arms name the same model version")
        if self.champion not in {arm.name for arm in self.arms}:
            raise ValueError(f"the champion {self.champion!r} is not among the arms")
        return self

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """Those that answer and those that predict beside them."""
        return self.arms + self.shadows

    @property
    def champion_arm(self) -> Arm:
        return next(arm for arm in self.arms if arm.name == self.champion)

    @property
    def challengers(self) -> tuple[Arm, ...]:
        """In the order of their names, so that the order of the document changes nothing."""
        return tuple(sorted((arm for arm in self.arms if arm.name != self.champion), key=lambda arm: arm.name))

    @property
    def is_experiment(self) -> bool:
        """Whether somebody predicts who is not the champion."""
        return len(self.all_arms) > 1

    def crowns(self, other: "Strategy") -> bool:
        """Whether putting the other in force takes the traffic from this one's champion."""
        return other.champion_arm.version != self.champion_arm.version or not other.champion_arm.share

    def has_ended(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


class Assignment(Contract):
    arm: Arm
    bucket: int


def bucket_of(experiment: str, salt: str, subject: str) -> int:
    """The subject's bucket in [0, 10,000): independent across experiments and salts."""
    digest = hashlib.sha256(f"{experiment}|{salt}|{subject}".encode(errors="replace")).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def assign(strategy: Strategy, subject: str) -> Assignment:
    """The arm that answers for this subject.

    Challengers own contiguous ranges from bucket 0, the champion all that is left: with one challenger, as a canary
    has, widening it only adds subjects to it.
    """
    bucket = bucket_of(strategy.experiment, strategy.salt, subject)
    return Assignment(arm=owner_of(strategy, bucket), bucket=bucket)


def owner_of(strategy: Strategy, bucket: int) -> Arm:
    """The arm that answers for the subjects of a bucket."""
    end = 0
    for arm in strategy.challengers:
        end += arm.share
        if bucket < end:
            return arm
    return strategy.champion_arm


def sample(strategy: Strategy, subject: str) -> tuple[Assignment, ...]:
    """The shadows that predict beside the answer for this subject, by name.

    Each has buckets of its own: a shadow that widens only adds subjects, and changes neither who answers nor which
    other shadows take part.
    """
    dealt = (
        Assignment(arm=arm, bucket=bucket_of(strategy.experiment, strategy.salt, f"{arm.name}|{subject}"))
        for arm in sorted(strategy.shadows, key=lambda arm: arm.name)
    )
    return tuple(assignment for assignment in dealt if assignment.bucket < assignment.arm.share)


def check_arms(strategy: Strategy, active: frozenset[tuple[str, str, str]]) -> None:
    """Refuse arms that are not active for the task; `active` holds (task, model_id, revision).

    Raises:
        StrategyRefusedError: naming the first such arm and what to do.
    """
    for arm in strategy.all_arms:
        if (strategy.task, arm.model_id, arm.revision) not in active:
            raise StrategyRefusedError(
                f"arm {arm.name!r}: {arm.model_id}@{arm.revision} is not active for {strategy.task}; "
                f"register and activate it first (triage models list)"
            )
