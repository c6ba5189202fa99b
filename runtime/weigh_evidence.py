"""Weighs the evidence about a task's challengers, says what follows from it, and stores what a change would rest on."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.experiments import Experiments, Opinion
from runtime.adapters.metrics import measure
from runtime.adapters.strategies import current_strategy
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.functions import WEIGH_EVIDENCE, WeighEvidenceEnvironment
from triage.metrics import Metric
from triage.promotion.course import Course
from triage.promotion.evidence import Delivered, Evidence
from triage.promotion.steps import Due, Weighed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = Logger(service="weigh_evidence")
MISMATCH = 0.001
"""The p-value, valid at every look, from which on a sample ratio is called wrong."""


def build(environment: WeighEvidenceEnvironment, session: boto3.Session) -> Handler:
    client, s3 = session.client("dynamodb"), session.client("s3")
    strategies = Table(client, tables.MODEL_STRATEGY, environment.model_strategy_table)
    experiments = Experiments(Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table))

    def weigh(due: Due) -> Weighed:
        row = current_strategy(strategies, due.task)
        if row is None or not row.strategy.is_experiment:
            return _nothing(due.task, row.version if row else 0)
        opinions = experiments.opinions(row, datetime.now(UTC))
        for opinion in opinions:
            _report(opinion)
        chosen = _first(opinions)
        # A proposal stands until a person has decided; the same again would say nothing new.
        waits = chosen.course.kind == "promote" and row.proposal is not None
        acts = chosen.course.kind is not None and not waits
        if acts:
            _store(chosen.evidence, s3, environment.evidence_bucket)
        return Weighed(
            task=due.task,
            strategy_version=row.version,
            acts=acts,
            challenger=chosen.challenger.name,
            verdict=chosen.judgement.verdict,
            course=chosen.course,
            evidence=chosen.evidence.reference() if acts else None,
        )

    return step_handler(WEIGH_EVIDENCE, weigh, logger)


def _nothing(task: str, version: int) -> Weighed:
    course = Course(kind=None, reason="no challenger")
    return Weighed(task=task, strategy_version=version, acts=False, challenger=None, verdict=None, course=course)


def _first(opinions: Iterable[Opinion]) -> Opinion:
    """One change at a time: what protects comes first, and what changes nothing last."""
    order = {"roll_back": 0, "stop": 1, "promote": 2, "widen": 3, None: 4}
    return min(opinions, key=lambda opinion: order[opinion.course.kind])


def _store(evidence: Evidence, s3: "S3Client", bucket: str) -> None:
    reference = evidence.reference()
    s3.put_object(Bucket=bucket, Key=reference.key, Body=evidence.document(), ContentType="application/json")


def _report(opinion: Opinion) -> None:
    evidence = opinion.evidence
    logger.info(
        "weighed",
        extra={
            "task": evidence.task,
            "challenger": evidence.challenger,
            "verdict": opinion.judgement.verdict,
            "reasons": opinion.judgement.reasons,
            "course": opinion.course.kind,
        },
    )
    for name in _alarming(evidence.delivered) if evidence.delivered else ():
        logger.error("not delivered as intended", extra={"task": evidence.task, "problem": name})
        # Alarms watch these.
        measure(Metric(name))


def _alarming(delivered: Delivered) -> list[str]:
    problems = {
        "SampleRatioMismatch": delivered.p_value < MISMATCH,
        "EmptyArm": bool(delivered.empty),
        "ServedNotIntended": delivered.strays > 0,
    }
    return [name for name, wrong in problems.items() if wrong]


handler = entry_point(WeighEvidenceEnvironment, build)
