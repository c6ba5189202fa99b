"""What a letter says, apart from how it came: as plain text, as markup, or as a whole mail.

Nothing reads a letter before `read_letter` has: the models, the rules for vulnerability and people all get its text.
Quotations are recognised line by line, by code of our own: the expressions of `mail-parser-reply` need time that grows
with the square of a line's length.
"""

from dataclasses import dataclass
from typing import Final

from triage.letter import lines, mail, markup
from triage.text import clean

LETTER_VERSION: Final = "1"
"""Recorded with every selection. Raise it with any change that reads a letter in another way."""

MOST_READINGS: Final = 3
"""Exports escape markup once or twice. What is still markup after so many readings loses its signs."""


@dataclass(frozen=True)
class Letter:
    """message: the newest message, never empty where there is any text. subject: of a whole mail.

    signature: the lines below the message that say who wrote it, and with which device. quoted: the older messages, the
    newest first, each with the line that introduces it.
    """

    message: str
    subject: str = ""
    signature: str = ""
    quoted: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """The cleaned message, which models read in training and in serving."""
        return _settled(clean(self.message))

    @property
    def said(self) -> str:
        """Everything that can be read, cleaned: the message as it is spoken, subject, signature and older messages."""
        spoken, message = self.spoken, clean(self.message)
        rest = map(clean, (self.subject, self.signature, *self.quoted))
        return " ".join(filter(None, (spoken, "" if message == spoken else message, *rest)))


def read_letter(raw: str) -> Letter:
    """Return the parts of a letter. A plain letter without a quotation or signature is its own message.

    The time grows with the length alone, and no text raises an error.

    >>> read_letter("<p>My card was stolen.</p><blockquote>How may we help?</blockquote>")
    Letter(message='My card was stolen.', subject='', signature='', quoted=('How may we help?',))
    """
    subject, body = mail.opened(raw) or ("", raw)
    is_mail = body is not raw
    text = markup.decoded(body)
    if markup.is_markup(text):
        is_mail, text = True, markup.extracted(text)
    parted = lines.parted(text, is_mail=is_mail)
    return Letter(parted.message, subject, parted.signature, parted.quoted)


def spoken(raw: str) -> str:
    """Return the cleaned message of a letter. Reading it again gives the same, so that a dataset may be read again.

    >>> spoken("&lt;p&gt;My card &amp;amp; PIN&lt;/p&gt;")
    'My card & PIN'
    """
    return read_letter(raw).spoken


def _settled(text: str) -> str:
    """Return a cleaned text that reads as it is: exports escape markup once or twice."""
    for _ in range(MOST_READINGS):
        if "<" not in text and "&" not in text:
            return text
        again = clean(read_letter(text).message)
        if again == text:
            return text
        text = again
    return clean(text.translate(dict.fromkeys(map(ord, "<>&"), " ")))
