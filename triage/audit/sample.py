"""Draws the complaints whose labels stand for others."""

import hashlib

from triage.story import Drawn


def drawn(complaint_id: str, share: float) -> Drawn | None:
    """Return how a complaint was drawn; None if it was not. A repeated execution draws the same complaints.

    share: the probability with which each complaint is drawn.
    """
    digest = hashlib.sha256(f"audit {complaint_id}".encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return Drawn(stratum="random", inclusion=share) if place < share else None
