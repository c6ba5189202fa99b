"""Anchors: what a chain was, kept where those who can change tables cannot change it.

An anchor is the key of an empty object. It holds hashes and no id, because it may outlive the records of a complaint.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final, Self

from triage.audit.chain import Link
from triage.contracts import Contract, Sha256

_KEY: Final = re.compile(r"([0-9a-f]{64})/(\d{6,})-([0-9a-f]{64})")


class Anchor(Contract):
    """One link of a chain, as it was sealed. chain: the hash that stands for the chain. sha256: of the link."""

    chain: Sha256
    number: int
    sha256: Sha256

    @classmethod
    def of(cls, link: Link) -> Self:
        return cls(chain=chain_of(link), number=link.number, sha256=link.sha256)

    @classmethod
    def read(cls, key: str) -> Self | None:
        """Return the anchor with this key, or None for any other object."""
        found = _KEY.fullmatch(key)
        return cls(chain=found[1], number=int(found[2]), sha256=found[3]) if found else None

    @property
    def key(self) -> str:
        return f"{self.chain}/{Link.numbered(self.number)}-{self.sha256}"


def chain_of(link: Link) -> str:
    """Return the hash that stands for a link's chain.

    The moment of its beginning, in milliseconds, keeps anybody from finding the complaint by hashing all ids.
    """
    return hashlib.sha256(f"{link.complaint_id} {link.began_at}".encode()).hexdigest()


def contradictions(links: Iterable[Link], anchors: Iterable[Anchor]) -> Iterator[tuple[Link, str]]:
    """Yield each link that is not what was anchored, and the last one if the chain was longer or was never anchored.

    Links that have expired have anchors still.
    """
    chain = sorted(links, key=lambda link: link.number)
    if not chain:
        return
    anchored: dict[int, set[str]] = {}
    for anchor in anchors:
        anchored.setdefault(anchor.number, set()).add(anchor.sha256)
    for link in chain:
        if anchored.get(link.number, {link.sha256}) != {link.sha256}:
            yield link, f"link {link.number} is not the one that was anchored"
    end, longest = chain[-1], max(anchored, default=0)
    if longest > end.number:
        yield end, f"the chain ends at link {end.number}, and link {longest} was anchored"
    elif end.number not in anchored:
        yield end, f"the chain ends at link {end.number}, which was not anchored"
