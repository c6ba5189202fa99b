"""The Jinja environment of all pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli.pages.formats import number, p_value, percent, points
from triage.explanation.rationale import checks_in_words, probability

FORMATS: dict[str, Callable[..., Any]] = {
    "checks": checks_in_words,
    "number": number,
    "p_value": p_value,
    "percent": percent,
    "points": points,
    "probability": probability,
}


def render(template: str, *, filters: dict[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """Return an HTML page that needs no other file. filters: those that only this template uses.

    None is shown as `none`. A template that names an unknown value fails.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "none" if value is None else value,
    )
    environment.filters |= FORMATS | (filters or {})
    return environment.get_template(template).render(**values)
