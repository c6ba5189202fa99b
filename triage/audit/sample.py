"""Draws the complaints whose labels stand for others: the audit sample.

A complaint is drawn by its id and stratum alone, so that a repeated execution draws the same ones, and nobody can
choose what is looked at. What is rare or costly to get wrong is drawn more often, and then weighs less.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, Literal

from triage.story import Decision, Drawn

Route = Literal["auto", "review", "manual"]
Journey = Literal["standard", "specialist"]

FACTORS: Final = {"specialist": 3.0, "manual": 3.0}
"""By how much more often complaints of a journey or route are drawn than others. The larger factor counts."""


def stratum_of(team: str, route: Route, journey: Journey, decisions: Iterable[Decision]) -> str:
    """Return the name of a stratum: team, route and journey, and the arms of strategies that answered.

    >>> stratum_of("mortgage", "auto", "standard", ())
    'mortgage/auto/standard'
    """
    arms = {f"{one.task}:{one.model.arm}" for one in decisions if one.model.arm is not None}
    return "/".join((team, route, journey, *sorted(arms)))


def drawn(complaint_id: str, stratum: str, share: float) -> Drawn | None:
    """Return how a complaint was drawn; None if it was not.

    share: the probability with which a complaint is drawn for which there is no factor.
    """
    factor = max((FACTORS.get(part, 1.0) for part in stratum.split("/")), default=1.0)
    inclusion = min(1.0, share * factor)
    digest = hashlib.sha256(f"audit {complaint_id}".encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return Drawn(stratum=stratum, inclusion=inclusion) if place < inclusion else None
