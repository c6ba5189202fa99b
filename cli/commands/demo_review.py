"""Feedback for the demonstration: a simulated reviewer with a known error rate labels a random sample."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cli.aws import feedback_inbox
from cli.aws.deployment import Deployment
from cli.output import out, print_table
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
    """Hand in labels as product teams do, and print how often the models agreed with them."""
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
    first = [(one, allocations[one.complaint_id]) for one in said]
    out.print(
        f"A simulated reviewer, wrong in {ERROR_RATE:.0%} of cases, labelled {len(first)} complaints at random.",
        soft_wrap=True,
    )
    print_table(
        "Were the models right?",
        ("label", "right"),
        (
            ("product", f"{sum(one.product == was.product for one, was in first)} of {len(first)}"),
            ("issue", f"{sum(one.issue == was.issue for one, was in first)} of {len(first)}"),
        ),
    )
