"""Text of markup: line breaks where a reader sees them, without what nobody sees, and quotations marked."""

import html
import re
import tomllib
from html.entities import html5
from pathlib import Path
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from triage.letter.lines import QUOTED, SIGNED, Mark
from triage.values import is_absent

LARGEST_TREE: Final = 100_000
"""Characters of which a tree is built. A parser of HTML needs time that grows with the square of nested elements, a
second for as many characters. Of more, the elements are removed, and quotations are recognised by their lines.
"""

_WORDS: Final[dict[str, dict[str, list[str]]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
_BLOCKS: Final = frozenset(_WORDS["elements"]["blocks"])
_UNSEEN: Final = frozenset(_WORDS["elements"]["unseen"])


def _any_of(*lists: str, but: str | None = None) -> str:
    """Return an expression for each name of these lists of elements."""
    names = {name for one in lists for name in _WORDS["elements"][one]}
    return "|".join(sorted(names - set(_WORDS["elements"][but] if but else ()), key=lambda name: (-len(name), name)))


_NAMES = _any_of("blocks", "formats", "others")
_SURE = _any_of("blocks", "formats", "others", but="placeholders")

_ELEMENT = re.compile(
    rf"<(?:/(?:{_SURE})\s{{0,9}}>|(?:{_SURE})(?:\s{{0,9}}/?>|\s{{1,9}}[a-zA-Z:-]{{1,40}}\s{{0,9}}=)|!doctype\s+html)",
    re.IGNORECASE,
)
_SIGN = re.compile(rf"<(?!/?(?:{_NAMES})(?=[\s/>])|/?(?:o|v|w|m|st1|u1|x):[a-z]|!--|!\[|!doctype|\?xml)", re.IGNORECASE)
_FORMAT = re.compile(rf"<(/?)(?:{_any_of('formats')})(?=[\s/>])", re.IGNORECASE)
_BREAKING = re.compile(rf"</?(?:br|{_any_of('blocks')})(?=[\s/>])", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}[0-9]{0,2}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_SPACE = re.compile(r"[ \t\r\n\f]+")

_SPANS = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in (
        (r"<!--", r"-->"),
        (r"<script(?=[\s/>])", r"</script\s{0,9}>"),
        (r"<style(?=[\s/>])", r"</style\s{0,9}>"),
        (r"<head(?=[\s/>])", r"</head\s{0,9}>"),
    )
)
_HIDING = re.compile(r"display:none|visibility:hidden|mso-hide:all|font-size:0(?:px|pt|em|%)?(?:;|!|$)", re.IGNORECASE)
_KEEPING = re.compile(r"white-space:(?:pre|break-spaces)", re.IGNORECASE)


def is_markup(text: str) -> bool:
    """Whether a text has an element of HTML. `<XXXX>`, `<$100` and `a < b` are none.

    >>> is_markup("I paid <$100 to <XXXX> on <date>"), is_markup("I paid.<br>Twice.")
    (False, True)
    """
    return "<" in text and _ELEMENT.search(text) is not None


def decoded(text: str) -> str:
    """Return a text without entities; markup as it is, because its parser reads them."""
    if "&" not in text or is_markup(text):
        return text
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]) if _is_known(entity[0]) else entity[0], text)


def _is_known(entity: str) -> bool:
    """Whether an entity is one as a whole. Python also decodes the beginning of `&notice;`."""
    return entity[1] == "#" or entity[1:] in html5


def extracted(text: str) -> str:
    """Return the text of markup, with the marks of `triage.letter.lines` before what is quoted or signed."""
    seen = text.encode("utf-8", "replace").decode("utf-8").replace(QUOTED, " ").replace(SIGNED, " ")
    seen = _SIGN.sub("&lt;", _without_unseen(seen))
    if len(seen) > LARGEST_TREE:
        return stripped(seen)
    lines = _Lines(keeps_breaks=_BREAKING.search(seen) is None)
    root = LexborHTMLParser(_FORMAT.sub(r"<\1span", seen)).root
    if root is not None:
        lines.read(root)
    return stripped(seen) if is_absent(lines.text) else lines.text


def stripped(text: str) -> str:
    """Return the text of markup of any size: what stands between elements, and a new line for each block.

    >>> stripped("<p>One<p>two <b>three</b>")
    '\\nOne\\ntwo three'
    """
    if not is_markup(text):
        return text
    pieces = _without_unseen(text).split("<")
    found = [pieces[0]]
    for piece in pieces[1:]:
        tag, closed, rest = piece.partition(">")
        if not closed:
            found.append(f"<{piece}")
        else:
            found.append(("\n" if _BREAKING.match(f"<{tag[:20]}>") else "") + rest)
    return html.unescape("".join(found))


def _without_unseen(text: str) -> str:
    """Return markup without comments, scripts, styles and the head. One that does not end stays."""
    for starting, ending in _SPANS:
        kept, place = [], 0
        while (start := starting.search(text, place)) and (end := ending.search(text, start.end())):
            kept.append(text[place : start.start()])
            place = end.end()
        text = "".join((*kept, text[place:]))
    return text


_Open = tuple[LexborNode | None, Mark, bool]
"""A node that is still to be read, what it stands in, and whether its line breaks count. None ends a line."""


class _Lines:
    """Collects the lines of a tree. keeps_breaks: a line break of the source is one of the text."""

    def __init__(self, *, keeps_breaks: bool) -> None:
        self._keeps_breaks = keeps_breaks
        self._lines: list[str] = []
        self._line: list[str] = []
        self._mark = Mark()
        self._rest_is_quoted = False

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def read(self, root: LexborNode) -> None:
        """Walk without recursion, because elements may be nested as deeply as somebody likes."""
        open_: list[_Open] = [(root, Mark(), self._keeps_breaks)]
        while open_:
            node, mark, keeps = open_.pop()
            if node is None:
                self._end_line()
            elif node.is_text_node:
                self._write(node.text_content or "", mark, keeps)
            else:
                open_.extend(reversed(self._opened(node, mark, keeps)))
        self._end_line()

    def _opened(self, node: LexborNode, mark: Mark, keeps: bool) -> list[_Open]:
        name = node.tag or ""
        if name in _UNSEEN or node.is_comment_node:
            return []
        found = node.attributes if node.is_element_node else {}
        style = re.sub(r"\s", "", (found.get("style") or "")[:2_000])
        if "hidden" in found or _HIDING.search(style):
            return []
        if found.get("id") in _WORDS["quotes"]["begin"]:
            self._rest_is_quoted = True
        mark = mark.within(_mark(name, found))
        keeps = keeps or name == "pre" or bool(_KEEPING.search(style))
        inside: list[_Open] = []
        child = node.first_child
        while child is not None:
            inside.append((child, mark, keeps))
            child = child.next
        if name == "br" or name in _BLOCKS:
            self._end_line()
            return [*inside, (None, Mark(), False)]
        if name in {"td", "th"}:
            self._write(" ", mark, False)
        return inside

    def _write(self, text: str, mark: Mark, keeps: bool) -> None:
        if self._rest_is_quoted:
            mark = mark.within(Mark(1))
        first, *others = text.split("\n") if keeps else [text]
        for number, part in enumerate([first, *others]):
            if number or (mark != self._mark and part.strip()):
                self._end_line()
                self._mark = mark
            if part:
                self._line.append(_SPACE.sub(" ", part))

    def _end_line(self) -> None:
        words = "".join(self._line).strip()
        if words:
            self._lines.append(f"{self._mark}{words}")
        self._line.clear()


def _mark(name: str, found: dict[str, str | None]) -> Mark:
    classes, identity = (found.get("class") or "").split(), found.get("id")

    def is_a(kind: str) -> bool:
        return identity in _WORDS[kind]["ids"] or not set(_WORDS[kind]["classes"]).isdisjoint(classes)

    return Mark(1) if name == "blockquote" or is_a("quotes") else Mark(signed=is_a("signatures"))
