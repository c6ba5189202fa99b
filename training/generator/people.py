"""Who writes: what makes them vulnerable, and by which of three sources the bank could know."""

from dataclasses import dataclass
from random import Random

from training.generator.phrases import Circumstance, Phrases

TAGGED_SOURCES = (
    (("tag",), 0.30),
    (("text",), 0.25),
    (("tag", "text"), 0.25),
    (("flag",), 0.10),
    (("flag", "text"), 0.10),
)
UNTAGGED_SOURCES = ((("text",), 0.70), (("flag",), 0.15), (("flag", "text"), 0.15))
"""Invented. Most tagged letters do not say so, like CFPB's: 13.5 % of Servicemember rows use military words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """customer_id: None when nobody knows the customer. cues: how the letter tells of the vulnerability, if so."""

    customer_id: str | None
    tags: tuple[str, ...] = ()
    account_vulnerable: bool = False
    cues: tuple[str, ...] = ()
    driver: str | None = None

    @property
    def vulnerable(self) -> bool:
        return self.driver is not None


def draw_person(rng: Random, phrases: Phrases, *, number: int, vulnerable_share: float) -> Person:
    customer_id = f"customer-{number:06d}" if rng.random() < 0.95 else None
    if rng.random() >= vulnerable_share:
        return Person(customer_id=customer_id)
    circumstance = _draw_circumstance(rng, phrases)
    choices = TAGGED_SOURCES if circumstance.tag else UNTAGGED_SOURCES
    (sources,) = rng.choices([source for source, _ in choices], [weight for _, weight in choices])
    return Person(
        customer_id=customer_id,
        tags=(circumstance.tag,) if circumstance.tag and "tag" in sources else (),
        account_vulnerable="flag" in sources,
        cues=circumstance.cues if "text" in sources else (),
        driver=circumstance.driver,
    )


def _draw_circumstance(rng: Random, phrases: Phrases) -> Circumstance:
    (circumstance,) = rng.choices(phrases.circumstances, [kind.weight for kind in phrases.circumstances])
    return circumstance
