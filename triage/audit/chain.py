"""The chain of a complaint: one link for every change of its entries, sealed with the hash of the link before.

A link holds hashes and no content, so that records stay provable after their text was erased.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from triage.contracts import Contract, Sha256
from triage.feedback import is_pending
from triage.outbox import DAY, expiry
from triage.validation import Matching

Item = Mapping[str, Any]

KEPT_LONGER_DAYS: Final = 14
"""Links outlive what they seal, because DynamoDB removes expired items within days and in no order."""

UNSEALED: Final = frozenset({"expires_at"})
"""Attributes that are not hashed, because a legal hold changes them."""


class Link(Contract):
    """One change of one entry.

    complaint_id: the partition of the entry in `complaints_allocation`: a complaint's id, or the inbox of its feedback.
    sequence: the number of the link, from 1, with leading zeros so that numbers sort as text.
    change: `pending` is feedback without an outcome, which its writer may still replace. `expired` is a removal by
        DynamoDB itself, because of age; `removed` is any other.
    content_sha256: of the entry after the change; None where it was removed.
    late: true where the stream had lost the change, and it was sealed when that was noticed. Until then nothing proves
        what the entry contained.
    began_at: when the first link of the chain was sealed. Every link states it, because the first one expires first.
    sha256: of all other fields except `expires_at`.
    """

    complaint_id: str
    sequence: Annotated[str, Matching(r"^\d{6,}$", "a number of at least 6 digits")]
    entry: str
    change: Literal["written", "pending", "removed", "expired"]
    content_sha256: Sha256 | None = None
    sealed_at: str
    late: Literal[True] | None = None
    previous_sha256: Sha256 | None = None
    began_at: str
    code_version: str
    sha256: Sha256
    expires_at: int | None = None

    @classmethod
    def after(
        cls,
        last: Self | None,
        number: int | None = None,
        expired: bool = False,
        /,
        *,
        entry: str,
        content: Item | None,
        **stated: Any,
    ) -> Self:
        """Return the next link of a chain.

        last: the link before, None for the first one. number: a later number, where the next one is taken.
        expired: whether DynamoDB removed the entry. content: the entry after the change, None where it was removed.
        stated: the fields complaint_id, sealed_at, late, code_version and expires_at.
        """
        if number is None:
            number = last.number + 1 if last else 1
        facts = {
            **stated,
            "entry": entry,
            "sequence": cls.numbered(number),
            "change": _change(content, expired),
            "content_sha256": content_sha256(content) if content is not None else None,
            "previous_sha256": last.sha256 if last else None,
            "began_at": last.began_at if last else stated["sealed_at"],
        }
        return cls.model_validate({**facts, "sha256": _own_sha256(facts)})

    @staticmethod
    def numbered(number: int) -> str:
        return f"{number:06}"

    @property
    def number(self) -> int:
        return int(self.sequence)

    @property
    def is_sound(self) -> bool:
        return self.sha256 == _own_sha256(self.model_dump(exclude={"sha256"}))


def _change(content: Item | None, expired: bool) -> str:
    if content is None:
        return "expired" if expired else "removed"
    return "pending" if is_pending(content) else "written"


def _own_sha256(facts: Item) -> str:
    return content_sha256({name: value for name, value in facts.items() if value is not None})


def content_sha256(item: Item) -> str:
    """Return the hash of an item of any shape, as DynamoDB stores it. Its expiry is not hashed."""
    sealed = {name: value for name, value in item.items() if name not in UNSEALED}
    return hashlib.sha256(json.dumps(_canonical(sealed), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Return the value as JSON in which different values never look alike: numbers, sets and bytes name their type."""
    if isinstance(value, Mapping):
        return {str(name): _canonical(element) for name, element in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(element) for element in value]
    if isinstance(value, set | frozenset):
        return {"set": sorted(json.dumps(_canonical(element)) for element in value)}
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | Decimal):
        return {"number": format(Decimal(value).normalize(), "f")}
    return {"binary": base64.b64encode(bytes(value)).decode()}


def kept_until(last: Link | None, content: Item | None, *, now: datetime, retention_days: int) -> int:
    """Return when a new link expires, in seconds since the epoch: after what it seals, and not before the last link.

    What states no time, such as a removal, counts from the beginning of the chain: ids must not be kept for another
    retention because a record has reached the end of its own.
    """
    stated = content.get("expires_at") if content is not None else None
    if isinstance(stated, int | Decimal):
        # Nothing that the system writes expires later than this.
        record = min(int(stated), expiry(now, retention_days))
    else:
        record = expiry((moment(last.began_at) if last else None) or now, retention_days)
    before = last.expires_at if last and last.expires_at else 0
    return max(record + KEPT_LONGER_DAYS * DAY, expiry(now, KEPT_LONGER_DAYS), before)


def moment(stated: str) -> datetime | None:
    """Return the time that a link states, or None if the text, perhaps altered, is no time."""
    try:
        return datetime.fromisoformat(stated).astimezone(UTC)
    except ValueError:
        return None


def began(links: Iterable[Item]) -> datetime | None:
    """Return when a chain began, from its stored links; None where none of them is well-formed."""
    stated = []
    for link in links:
        with suppress(ValueError):
            stated.append(datetime.fromisoformat(Link.model_validate(link).began_at).astimezone(UTC))
    return min(stated, default=None)


def unsealed(links: Iterable[Link], entries: Mapping[str, Item | None]) -> Iterator[tuple[str, Item | None]]:
    """Yield the entries whose current content the chain has not sealed yet. A content of None means removed."""
    known = {link.entry: link.content_sha256 for link in links}
    for entry, item in entries.items():
        content = content_sha256(item) if item is not None else None
        if entry not in known or known[entry] != content:
            yield entry, item
