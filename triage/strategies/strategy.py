"""How the models of a task share traffic: a validated document, and pure functions that assign subjects to arms."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from triage.contracts import Contract, ModelId, Revision, TaskName
from triage.errors import StrategyRefusedError
from triage.promotion.gates import Gates, Guardrails, Schedule
from triage.validation import Matching

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
    """How the arms of a task share its traffic. The champion answers whatever no other arm owns.

    single, shadow: the champion answers everything. canary: one challenger answers its share, which the schedule
    widens. ab: challengers answer fixed shares until `ends_at`; after that the champion answers everything.
    shadows: predict beside the arm that answers, each for its own share of the subjects, and never answer.
    gates, guardrails, schedule: what the promotion engine asks of challengers, and how it lets them in.
    """

    task: TaskName
    kind: Literal["single", "canary", "ab", "shadow"]
    # Without the separator of `bucket_of`, so that no two experiments have the same buckets by accident.
    experiment: Annotated[str, Matching(r"^[^|]{1,64}$", "1 to 64 characters without |")]
    salt: Annotated[str, Matching(r"^[^|]{0,64}$", "at most 64 characters, without |")] = ""
    champion: str
    arms: tuple[Arm, ...] = Field(min_length=1)
    shadows: tuple[Arm, ...] = ()
    ends_at: AwareDatetime | None = None
    gates: Gates = Gates()
    guardrails: Guardrails = Guardrails()
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        total = sum(arm.share for arm in self.arms)
        names = [arm.name for arm in self.all_arms]
        rules = {
            "a single or shadow strategy has one arm; the others have several": (
                (self.kind in {"single", "shadow"}) == (len(self.arms) == 1)
            ),
            "a canary strategy has one challenger; use the kind ab for several": (
                self.kind != "canary" or len(self.arms) == 2
            ),
            "`ends_at` is required for the kind ab and not allowed for others": (
                (self.kind == "ab") == (self.ends_at is not None)
            ),
            "a single strategy has no shadows; use the kind shadow": self.kind != "single" or not self.shadows,
            "a shadow strategy needs at least one of `shadows`": self.kind != "shadow" or bool(self.shadows),
            f"the arms' shares sum to {total} basis points; they must sum to {BUCKETS}": total == BUCKETS,
            "two arms have the same name; each needs its own": len(set(names)) == len(names),
            "two arms name the same model version; each needs its own": (
                len({arm.version for arm in self.all_arms}) == len(names)
            ),
            f"the champion {self.champion!r} is not among the arms": self.champion in {arm.name for arm in self.arms},
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(rule)
        return self

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """The arms that answer, then the shadows."""
        return self.arms + self.shadows

    @property
    def champion_arm(self) -> Arm:
        return next(arm for arm in self.arms if arm.name == self.champion)

    @property
    def challengers(self) -> tuple[Arm, ...]:
        """The arms that answer beside the champion, by name, so that the document's order changes no assignment."""
        return tuple(sorted((arm for arm in self.arms if arm.name != self.champion), key=lambda arm: arm.name))

    @property
    def contenders(self) -> tuple[Arm, ...]:
        """All that may replace the champion: challengers, then shadows."""
        return self.challengers + self.shadows

    @property
    def is_experiment(self) -> bool:
        """Whether any arm beside the champion predicts."""
        return len(self.all_arms) > 1

    def replaces_champion(self, other: "Strategy") -> bool:
        """Whether the other strategy takes the traffic from this one's champion."""
        return other.champion_arm.version != self.champion_arm.version or not other.champion_arm.share

    def has_ended(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


class Assignment(Contract):
    arm: Arm
    bucket: int


def bucket_of(experiment: str, salt: str, subject: str) -> int:
    """Return the subject's bucket in [0, 10,000). Buckets of different experiments or salts are independent."""
    digest = hashlib.sha256(f"{experiment}|{salt}|{subject}".encode(errors="replace")).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def assign(strategy: Strategy, subject: str) -> Assignment:
    """Return the arm that answers for this subject.

    Challengers own contiguous ranges from bucket 0, and the champion owns the rest. Widening the only challenger of a
    canary therefore only adds subjects to it.
    """
    bucket = bucket_of(strategy.experiment, strategy.salt, subject)
    return Assignment(arm=owner_of(strategy, bucket), bucket=bucket)


def owner_of(strategy: Strategy, bucket: int) -> Arm:
    """Return the arm that answers for the subjects of a bucket."""
    end = 0
    for arm in strategy.challengers:
        end += arm.share
        if bucket < end:
            return arm
    return strategy.champion_arm


def sample(strategy: Strategy, subject: str) -> tuple[Assignment, ...]:
    """Return the shadows that predict for this subject, by name.

    Each shadow has its own buckets. Widening it only adds subjects to it, and changes neither the arm that answers nor
    the other shadows.
    """
    drawn = (
        Assignment(arm=arm, bucket=bucket_of(strategy.experiment, strategy.salt, f"{arm.name}|{subject}"))
        for arm in sorted(strategy.shadows, key=lambda arm: arm.name)
    )
    return tuple(assignment for assignment in drawn if assignment.bucket < assignment.arm.share)


def check_arms(strategy: Strategy, active: frozenset[tuple[str, str, str]]) -> None:
    """Refuse a strategy with an arm that is not active for its task. active: (task, model_id, revision).

    Raises:
        StrategyRefusedError: names the first such arm and what to do.
    """
    for arm in strategy.all_arms:
        if (strategy.task, arm.model_id, arm.revision) not in active:
            raise StrategyRefusedError(
                f"arm {arm.name!r}: {arm.model_id}@{arm.revision} is not active for {strategy.task}; "
                f"register and activate it first; `triage models list` shows what is active"
            )
