"""Whole mails, as a mail server stores them: a block of headers, and then what `triage.letter.mime` reads."""

import re
from typing import Final

LONGEST_HEADERS: Final = 64_000
"""Characters in which the headers of the whole mail have to end."""

MOST_PARTS: Final = 20
"""The library descends into parts by recursion."""

_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):")
_TELLING = frozenset({"mime-version", "content-type", "content-transfer-encoding", "message-id", "received"})
_PART = re.compile(r"content-type:", re.IGNORECASE)


def opened(raw: str) -> tuple[str, str] | None:
    """Return the subject and the body of a whole mail, as text or markup; None for anything else."""
    if not _has_headers(raw) or sum(1 for _ in _PART.finditer(raw)) > MOST_PARTS:
        return None
    # Python's library of mails takes as long to import as all else of this package, and few letters need it.
    from triage.letter import mime

    return mime.opened(raw)


def _has_headers(raw: str) -> bool:
    names = set()
    for line in raw[:LONGEST_HEADERS].lstrip().splitlines():
        header = _HEADER.match(line)
        if header:
            names.add(header[1].lower())
        elif not line.strip():
            return len(names) > 1 and bool(names & _TELLING)
        elif not names or line[0] not in " \t":
            return False
    return False
