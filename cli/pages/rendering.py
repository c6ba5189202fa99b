"""The Jinja environment of all pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli.pages.formats import number, p_value, percent, points
from triage.explanation.rationale import checks_in_words, probability


def page_environment(**filters: Callable[..., Any]) -> Environment:
    """Return the environment for the templates of this folder. filters: those that only one template uses.

    Every value is escaped, and None is shown as `none`. A template that names an unknown value fails.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "none" if value is None else value,
    )
    formats = {"number": number, "p_value": p_value, "percent": percent, "points": points, "probability": probability}
    environment.filters |= formats | {"checks": checks_in_words} | filters
    return environment
