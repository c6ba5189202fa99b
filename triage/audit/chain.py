"""The chain of a complaint: every change of its entries, each sealed with the hash of the one before.

A link holds hashes and no content, so that what is erased stays provable.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, Self

from pydantic import Field

from triage.contracts import Contract, Sha256
from triage.feedback import is_pending

Item = Mapping[str, Any]

KEPT_LONGER_DAYS: Final = 14
"""DynamoDB removes what has expired within days and in no order; what seals must not go before what it seals."""

UNSEALED: Final = frozenset({"expires_at"})
"""What a legal hold changes, and nothing follows from."""


class Link(Contract):
    """One change of one entry.

    complaint_id: its partition in `complaints_allocation`, which is an inbox for feedback. sequence: counts from 1, in
    digits that sort. change: pending is feedback without an outcome, which its writer may replace.
    content_sha256: of the entry as it then was; None where it was removed. began_at: when the first link was sealed,
    which expires before the others.
    sha256: of all the rest but `expires_at`.
    """

    complaint_id: str
    sequence: str = Field(pattern=r"^\d{6,}$")
    entry: str
    change: Literal["written", "pending", "removed"]
    content_sha256: Sha256 | None = None
    sealed_at: str
    previous_sha256: Sha256 | None = None
    began_at: str
    code_version: str
    sha256: Sha256
    expires_at: int | None = None

    @classmethod
    def after(
        cls, last: Self | None, number: int | None = None, /, *, entry: str, content: Item | None, **stated: Any
    ) -> Self:
        """The next link of a chain. number: where it is not the one that follows, since that place is taken.

        stated: complaint_id, sealed_at, code_version and expires_at.
        """
        if number is None:
            number = last.number + 1 if last else 1
        facts = {
            **stated,
            "entry": entry,
            "sequence": cls.numbered(number),
            "change": _change(content),
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


def _change(content: Item | None) -> str:
    if content is None:
        return "removed"
    return "pending" if is_pending(content) else "written"


def _own_sha256(facts: Item) -> str:
    return content_sha256({name: value for name, value in facts.items() if value is not None})


def content_sha256(item: Item) -> str:
    """Of an item as DynamoDB holds it, whatever is in it; when it expires does not count."""
    sealed = {name: value for name, value in item.items() if name not in UNSEALED}
    return hashlib.sha256(json.dumps(_canonical(sealed), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Each value with its type, so that no two differ and look alike."""
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


def began(links: Iterable[Item]) -> datetime | None:
    """When a chain began, of its links as they are stored; what somebody made of a link says nothing."""
    stated = []
    for link in links:
        with suppress(ValueError):
            stated.append(datetime.fromisoformat(Link.model_validate(link).began_at).astimezone(UTC))
    return min(stated, default=None)


def unsealed(links: Iterable[Link], entries: Mapping[str, Item | None]) -> Iterator[tuple[str, Item | None]]:
    """Of the entries as they are now (None: not there), those that the chain does not know like that."""
    known = {link.entry: link.content_sha256 for link in links}
    for entry, item in entries.items():
        content = content_sha256(item) if item is not None else None
        if entry not in known or known[entry] != content:
            yield entry, item
