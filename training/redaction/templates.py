"""Makes texts with marked personal data from `templates.toml`."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random

_SLOT = re.compile(r"\{(\w+)\}")
_LETTERS = "ABCEGHJKLMNPRSTWXYZ"

Pools = Mapping[str, list[str]]


def written(part: str, count: int, *, seed: int) -> Iterator[str]:
    """Yield texts from one part of the templates, each of one to three sentences."""
    pools, chance = _parts()[part], Random(seed)
    for _ in range(count):
        sentences = chance.sample(pools["sentence"], chance.choice((1, 2, 2, 3)))
        yield " ".join(_filled(sentence, pools, chance) for sentence in sentences)


@cache
def _parts() -> Mapping[str, Pools]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _filled(pattern: str, pools: Pools, chance: Random) -> str:
    """Fill slots from the pool of their name until none is left; signs become digits and letters."""
    pattern = _drawn(pattern, chance)
    while _SLOT.search(pattern):
        pattern = _SLOT.sub(lambda slot: _drawn(chance.choice(pools[slot[1]]), chance), pattern)
    return pattern


def _drawn(pattern: str, chance: Random) -> str:
    """Replace `#` by a digit, `%` by a digit except 0, `^` by a letter, and `=` by the check digit of a card number."""
    signs = {"#": "0123456789", "%": "123456789", "^": _LETTERS}
    drawn = "".join(chance.choice(signs[sign]) if sign in signs else sign for sign in pattern)
    if "=" not in drawn:
        return drawn
    return next(card for digit in "0123456789" if _adds_up(card := drawn.replace("=", digit)))


def _adds_up(card: str) -> bool:
    digits = [int(sign) for sign in reversed(card) if sign.isdigit()]
    return sum(digits[::2] + [d * 2 - 9 * (d > 4) for d in digits[1::2]]) % 10 == 0
