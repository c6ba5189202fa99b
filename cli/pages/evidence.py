"""The evidence page: for each challenger the verdict, followed by the figures behind it."""

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from cli.pages import evidence_case as words
from cli.pages import evidence_pictures as pictures
from cli.pages import formats
from cli.pages.evidence_case import Case, left_out, trail
from cli.pages.rendering import page_environment

TEMPLATE = "evidence.html.jinja"
VERDICTS = {
    "promote": "Promote: every gate is passed.",
    "hold": "Hold: a gate is failed, or more labels would not help.",
    "roll_back": "Roll back: the challenger does harm.",
    "inconclusive": "Inconclusive: the evidence does not say yet.",
}


def page(cases: Sequence[Case]) -> str:
    """Return one HTML file, with everything it needs inside, on one or more challengers of a task."""
    environment = page_environment()
    environment.filters |= {
        "picture": picture,
        "points": formats.points,
        "percent": formats.percent,
        "p_value": formats.p_value,
        "number": formats.number,
    }
    return environment.get_template(TEMPLATE).render(
        task=cases[0].evidence.task, sections=[_section(case) for case in cases], words=words, verdicts=VERDICTS
    )


def picture(svg: str, alternative: str) -> Markup:
    """Embed a picture. alternative: what it shows, for a screen reader.

    Ids that nothing refers to are removed, because several pictures of one page use the same ones.
    """
    named = set(re.findall(r"#([\w.-]+)", svg))
    unique = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in named else "", svg)
    return Markup('<div class="picture" role="img" aria-label="{}">{}</div>').format(alternative, Markup(unique))


def _section(case: Case) -> dict[str, Any]:
    evidence = case.evidence
    looks = trail(case)
    stored = case.change.evidence if case.change else None
    delivered = evidence.delivered
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
        "delivered": pictures.delivered(delivered) if delivered and any(delivered.counted.values()) else None,
        "reliability": pictures.reliability(*bins) if any(bins) else None,
        "forest": pictures.forest(case) if any(one.n for one in evidence.comparisons) else None,
        "left_out": left_out(case),
        "operations": {side: (ran, calibration.error) for side, (ran, calibration) in sides.items()},
    }
