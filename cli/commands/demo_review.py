"""Feedback for the demonstration: a simulated reviewer with a known error rate labels a random sample."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cli.aws import feedback_inbox
from cli.aws.deployment import Deployment
from cli.commands.quality import measure, show_quality
from cli.output import out
from cli.progress import progress_bar
from training.data.complaint_files import ExportRow
from training.reviewer import Reviewer, Truth
from triage.story import AllocationEntry
from triage.taxonomy import load_taxonomy

REVIEWED = 20
ERROR_RATE = 0.05
TIMEOUT_SECONDS = 120.0


def review(
    deployment: Deployment, rows: Sequence[ExportRow], allocations: Mapping[str, AllocationEntry], *, seed: int
) -> None:
    """Hand in labels as product teams do, and print the accuracy that they show."""
    drawn = random.Random(seed).sample(rows, min(REVIEWED, len(rows)))
    reviewer = Reviewer(taxonomy=load_taxonomy(), error_rate=ERROR_RATE, inclusion=len(drawn) / len(rows), seed=seed)
    now = datetime.now(UTC)
    said = [
        reviewer.statements(row.complaint_id, Truth(product=row.product, issue=row.issue, vulnerable=False), at=now)[0]
        for row in drawn
        if row.complaint_id in allocations and row.complaint_id and row.product and row.issue
    ]
    with progress_bar() as bar:
        reviewing = bar.add_task("Reviewing", total=len(said))
        for one in said:
            feedback_inbox.put(deployment, one)
        feedback_inbox.wait(
            deployment, said, timeout_seconds=TIMEOUT_SECONDS, on_outcome=lambda count: bar.advance(reviewing, count)
        )
    out.print(
        f"A simulated reviewer, wrong in {ERROR_RATE:.0%} of cases, labelled {len(said)} complaints at random, without "
        "seeing how they were allocated.",
        soft_wrap=True,
    )
    show_quality([one for one in measure(deployment, now.date()) if one.metric == "accuracy"], since=now.date())
