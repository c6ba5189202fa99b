"""Metrics as lines of the log, and how SageMaker finds them there."""

import re
from collections.abc import Iterable, Iterator, Mapping

REPORTED = ("accuracy", "macro_f1", "train_examples", "validation_examples")
"""Of the manifest's; the others are in the bundle."""


def metric_lines(task: str, metrics: Mapping[str, float]) -> Iterator[str]:
    """
    >>> list(metric_lines("product", {"accuracy": 0.8125, "coverage": 0.5}))
    ['[metric] product:accuracy=0.8125']
    """
    yield from (f"[metric] {task}:{name}={metrics[name]:.6g}" for name in REPORTED if name in metrics)


def metric_definitions(tasks: Iterable[str]) -> list[dict[str, str]]:
    """At most 40 are allowed, so ten tasks."""
    names = [f"{task}:{name}" for task in tasks for name in REPORTED]
    return [{"Name": name, "Regex": rf"\[metric\] {re.escape(name)}=([0-9.eE+-]+)"} for name in names]
