"""The page: for each challenger the verdict first, then what it rests on."""

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from cli.pages import evidence_pictures as pictures
from cli.pages import evidence_words as words
from cli.pages.evidence_case import Case, left_out, trail
from cli.pages.rendering import page_environment
from triage.promotion.evidence import Delivered, Operations

TEMPLATE = "evidence.html.jinja"
VERDICTS = {
    "promote": "Promote: every gate is passed.",
    "hold": "Hold: a gate is failed, or more labels would not help.",
    "roll_back": "Roll back: the challenger does harm.",
    "inconclusive": "Inconclusive: the evidence does not say yet.",
}


def page(cases: Sequence[Case]) -> str:
    """HTML that needs nothing beside itself, of one challenger of a task at least."""
    environment = page_environment()
    environment.filters |= {
        "picture": picture,
        "points": words.points,
        "percent": words.percent,
        "p_value": words.p_value,
        "number": words.number,
    }
    return environment.get_template(TEMPLATE).render(
        task=cases[0].evidence.task, sections=[_section(case) for case in cases], words=words, verdicts=VERDICTS
    )


def picture(svg: str, said: str) -> Markup:
    """In the page itself. said: what it shows, for whoever does not see it."""
    return Markup('<div class="picture" role="img" aria-label="{}">{}</div>').format(said, Markup(_anonymous(svg)))


def _anonymous(svg: str) -> str:
    """Without the ids that nothing in it refers to: another picture of the page has the same ones."""
    named = set(re.findall(r"#([\w.-]+)", svg))
    return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in named else "", svg)


def _section(case: Case) -> dict[str, Any]:
    evidence = case.evidence
    looks = trail(case)
    stored = case.change.evidence if case.change else None
    sides = {
        "champion": (evidence.champion_operations, evidence.champion_calibration),
        "challenger": (evidence.challenger_operations, evidence.challenger_calibration),
    }
    bins = [calibration.bins for _, calibration in sides.values()]
    return {
        "case": case,
        "evidence": evidence,
        "sha256": (stored or evidence.reference()).sha256,
        "looks": looks,
        "trail": pictures.trail(case, looks) if any(look.comparison.n for look in looks) else None,
        "delivered": _delivered(evidence.delivered),
        "reliability": pictures.reliability(*bins) if any(bins) else None,
        "forest": pictures.forest(case) if any(one.n for one in case.comparisons) else None,
        "left_out": left_out(case),
        "operations": {side: (ran, calibration.error) for side, (ran, calibration) in sides.items()},
        "error_rate": _error_rate,
    }


def _delivered(found: Delivered | None) -> str | None:
    return pictures.delivered(found) if found is not None and any(found.counted.values()) else None


def _error_rate(ran: Operations) -> str:
    return words.percent(ran.error_rate) if ran.asked else "-"
