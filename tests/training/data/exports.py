"""Generated complaints as an export with CFPB's names, spread over years."""

import csv
from datetime import date, timedelta
from pathlib import Path

from training.generator import generate

COLUMNS = ("Complaint ID", "Date received", "Product", "Issue", "Consumer complaint narrative", "Tags", "Submitted via")
FIRST = date(2023, 9, 1)


def any_export(folder: Path, *, complaints: int = 120, name: str = "export.csv", **columns: str) -> Path:
    """Return complaints five days apart. columns: values for all rows; `_` in a name stands for a space."""
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, complaint in enumerate(generate(complaints, seed=5)):
            row = {
                "Complaint ID": complaint.complaint_id,
                "Date received": (FIRST + timedelta(days=5 * number)).isoformat(),
                "Product": complaint.product,
                "Issue": complaint.issue,
                "Consumer complaint narrative": complaint.narrative,
                "Tags": ", ".join(complaint.tags),
                "Submitted via": "Web",
            }
            writer.writerow(row | {column.replace("_", " "): value for column, value in columns.items()})
    return path
