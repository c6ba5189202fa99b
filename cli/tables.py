"""Tables about complaints and models, for people."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.output import out, print_table
from triage.story import AllocationEntry
from triage.strategies.registry import ModelInfo

if TYPE_CHECKING:
    # Submission reads exports with pyarrow, which `triage status` need not wait for.
    from cli.aws.submission import Submission, Totals

ROWS = 25


def allocation_table(submission: "Submission") -> None:
    shown = [submission.allocations[i] for i in submission.ids if i in submission.allocations]
    shown.sort(key=lambda allocation: not allocation.urgent)
    print_table(
        f"Allocations ({min(len(shown), ROWS)} of {len(shown)})",
        (
            "complaint",
            "product team",
            "issue",
            "journey",
            "confidences",
            "route",
            "due",
            "ms with waiting",
            "model versions",
        ),
        (_allocation_row(allocation) for allocation in shown[:ROWS]),
    )


def _allocation_row(allocation: AllocationEntry) -> tuple[object, ...]:
    return (
        allocation.complaint_id,
        allocation.product_team,
        shortened(allocation.issue or "—", 38),
        f"{allocation.journey}, urgent" if allocation.urgent else allocation.journey,
        " ".join(f"{d.task[0]}:{d.confidence:.2f}" for d in allocation.decisions),
        allocation.route,
        allocation.clock.due_at[:10] if allocation.clock else None,
        allocation.milliseconds,
        " ".join(f"{d.model.model_id.split('/')[1]}@{d.model.revision[:7]}" for d in allocation.decisions),
    )


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def totals_table(totals: "Totals", *, title: str = "Totals") -> None:
    rate = totals.allocated / totals.seconds if totals.seconds else None
    print_table(
        title,
        ("measure", "value"),
        (
            ("submitted", totals.submitted),
            ("of which already there", totals.duplicates),
            ("refused", totals.rejected),
            ("  because another complaint has the id", totals.conflicts or None),
            ("allocated", totals.allocated),
            ("  without a person", totals.auto),
            ("  to review", totals.review),
            ("  to specialists", totals.specialist),
            ("p50 latency, ms from put to allocation", totals.p50_ms),
            ("p95 latency, ms", totals.p95_ms),
            ("throughput, complaints/s", f"{rate:.1f}" if rate else None),
        ),
    )


def models_table(models: Iterable[ModelInfo]) -> None:
    print_table(
        "Models",
        ("task", "model", "revision", "state", "engine", "MB", "activated", "failure"),
        (
            (
                model.task,
                model.model_id,
                model.revision[:12],
                model.state,
                model.bundle.engine if model.bundle else "not mirrored",
                f"{model.bundle.size / 1e6:.0f}" if model.bundle else None,
                model.activated_at,
                model.failure,
            )
            for model in models
        ),
    )
    out.print()
