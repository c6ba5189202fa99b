"""The text of a whole mail, from its bodies in one or more encodings."""

import re
from email import message_from_string, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Final

from triage.letter import markup
from triage.values import is_absent

LONGEST_HEADER: Final = 1_000
"""Characters. The library reads longer ones in time that grows with their square."""

_CHARSET = re.compile(
    r"utf-?(?:8|16)|us-ascii|latin-?1|iso-8859-\d+|(?:windows-|cp)125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|"
    r"iso-2022-jp|euc-(?:jp|kr)",
    re.IGNORECASE,
)
"""Encodings of mails. Python knows others that are none, and some of them take long."""


class _Short(policy.Compat32):
    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]


def opened(raw: str) -> tuple[str, str] | None:
    """Return the subject and the body of a whole mail, as text or markup; None where no body has text."""
    try:
        message: Message = message_from_string(raw.lstrip(), policy=_Short())
    except (MessageError, ValueError):
        return None
    texts: dict[str, list[str]] = {"text/html": [], "text/plain": []}
    for part in message.walk():
        if part.get_content_type() in texts and part.get_content_disposition() != "attachment":
            texts[part.get_content_type()].append(_text(part))
    found = ["\n".join(texts["text/html"]), "\n".join(texts["text/plain"])]
    body = next((text for text in found if not is_absent(markup.stripped(text))), None)
    return None if body is None else (_subject(message), body)


def _text(part: Message) -> str:
    if str(part.get("content-transfer-encoding", "")).strip().lower() in {"quoted-printable", "base64"}:
        content = part.get_payload(decode=True)
        charset = part.get_param("charset")
        known = charset if isinstance(charset, str) and _CHARSET.fullmatch(charset) else "utf-8"
        return content.decode(known, "replace") if isinstance(content, bytes) else ""
    content = part.get_payload()
    return content if isinstance(content, str) else ""


def _subject(message: Message) -> str:
    subject = str(message.get("subject", ""))
    try:
        return str(make_header(decode_header(subject)))
    except (HeaderParseError, LookupError, ValueError):
        return subject
