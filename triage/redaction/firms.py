"""Firms that are called as people are."""

from functools import cache

PHRASES = (
    "wells fargo",
    "brooks brothers",
    "brooks bros",
    "jc penney",
    "j c penney",
    "johnson mark",
    "hancock whitney",
    "mini-miranda",
    "mini miranda",
    "miranda warning",
    "miranda warnings",
    "goldman sachs",
    "penny mac",
    "annie mac",
    "morgan stanley",
    "charles schwab",
    "jp morgan",
    "jpmorgan chase",
    "j p morgan",
    "fannie mae",
    "freddie mac",
    "sallie mae",
    "ginnie mae",
    "mr cooper",
    "jackson hewitt",
    "merrill lynch",
    "kay jewelers",
    "ashley furniture",
    "ashley homestore",
    "edward jones",
    "raymond james",
    "john hancock",
    "john deere",
    "harley davidson",
    "mercedes benz",
    "calvin klein",
    "ralph lauren",
    "marks spencer",
    "john lewis",
    "clydesdale bank",
    "virgin money",
    "lloyds bank",
    "allen tate",
    "louis vuitton",
    "michael kors",
    "michael hill",
    "dave ramsey",
)
"""In lower case, also sayings that begin with a first name."""

_WORDS = """
law associates assoc llc inc llp pc plc ltd corp co company bank financial finance capital services servicing group
mortgage motors furniture jewelers credit insurance realty properties management recovery sons partners holdings auto
homes portfolio asset assets apc agency collection collections collector collectors savings education travel car card
cards debt loan loans customer stores
"""
WORDS = frozenset(_WORDS.split())
"""Behind a name, they say that it is a firm's."""


@cache
def phrases() -> dict[str, tuple[tuple[str, ...], ...]]:
    """What may follow a first word so that both are a firm."""
    split = [phrase.split() for phrase in PHRASES]
    return {first: tuple(tuple(rest) for head, *rest in split if head == first) for first, *_ in split}
