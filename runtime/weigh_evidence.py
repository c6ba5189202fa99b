"""Weighs the evidence on a task's challengers, decides what follows, and stores the evidence that a change rests on."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.experiments import Experiments
from runtime.adapters.metrics import Metrics
from runtime.adapters.strategies import current_strategy
from runtime.function import Handler, entry_point, step_handler
from triage import tables
from triage.functions import WEIGH_EVIDENCE, WeighEvidenceEnvironment
from triage.promotion.engine import Opinion, most_urgent, opinions, outcome, without_challenger
from triage.promotion.steps import Due, Weighed

logger = Logger(service="weigh_evidence")


def build(environment: WeighEvidenceEnvironment, session: boto3.Session) -> Handler:
    client, s3 = session.client("dynamodb"), session.client("s3")
    metrics = Metrics(environment)
    strategies = Table(client, tables.MODEL_STRATEGY, environment.model_strategy_table)
    experiments = Experiments(Table(client, tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table))

    def weigh(due: Due) -> Weighed:
        row = current_strategy(strategies, due.task)
        if row is None or not row.strategy.is_experiment:
            return without_challenger(due.task, row)
        now = datetime.now(UTC)
        found = opinions(row, experiments.observe(row, now), now)
        for opinion in found:
            _report(opinion, metrics)
        chosen = most_urgent(found)
        weighed = outcome(row, chosen)
        if weighed.evidence is not None:
            s3.put_object(
                Bucket=environment.evidence_bucket,
                Key=weighed.evidence.key,
                Body=chosen.evidence.document(),
                ContentType="application/json",
            )
        return weighed

    return step_handler(WEIGH_EVIDENCE, weigh, logger)


def _report(opinion: Opinion, metrics: Metrics) -> None:
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
    for problem in evidence.delivered.problems if evidence.delivered else ():
        logger.error("not delivered as intended", extra={"task": evidence.task, "problem": problem})
        # Alarms watch these metrics.
        metrics.measure(problem)


handler = entry_point(WeighEvidenceEnvironment, build)
