"""Email addresses, and postal addresses of the US and the UK."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span, matches

_LOCAL_PART = r"(?<![\w.+%'-])[\w.+%'-]{1,64}"
_LABEL = r"[A-Za-z0-9](?:[\w-]{0,62})"
_EMAIL = re.compile(rf"{_LOCAL_PART} ?@ ?{_LABEL}(?:\.{_LABEL}){{1,5}}")

_AT = r"(?: ?[(\[{<] ?(?:at|@) ?[)\]}>] ?| at )"
_DOT = r"(?: ?[(\[{<] ?(?:dot|\.) ?[)\]}>] ?| dot )"
_TOP = r"(?:com|net|org|edu|gov|info|biz|io|me|us|uk|co|ac|ie|eu|de|fr|ca|au|in|pl|ru)\b"
_SPELLED_EMAIL = re.compile(
    # Without brackets "at" is a common word, so the dot must be spelled out as well.
    rf"(?<![\w.+%-])(?:[\w+%-]{{1,30}}(?:{_DOT}|\.)){{0,3}}[\w+%-]{{1,30}}"
    rf"(?:{_AT}(?:[\w-]{{1,30}}{_DOT}){{1,3}}{_TOP}| ?[(\[{{] ?at ?[)\]}}] ?(?:[\w-]{{1,30}}\.){{1,3}}{_TOP})",
    re.IGNORECASE,
)

_SPACED_EMAIL = re.compile(
    rf"(?<![\w.+%-])[\w+%-]{{1,30}}(?:(?: \. |\.)[\w+%-]{{1,30}}){{0,3}} ?@ ?[\w-]{{1,30}}"
    rf"(?: ?\. ?[\w-]{{1,30}}){{0,3}} ?\. ?{_TOP}",
    re.IGNORECASE,
)

_STREETS = (
    "street|st|avenue|ave|av|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|terrace|ter|circle|cir|way"
    "|parkway|pkwy|highway|hwy|trail|trl|loop|square|sq|close|crescent|cres|gardens|gdns|grove|mews|row|rise|hill"
    "|park|view|walk|green|quay|wharf|plaza|turnpike|pike|alley|ridge|crossing|broadway|embankment"
)
_LOWER_CASE_STREETS = (
    "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|crescent|terrace|parkway|pkwy|highway|hwy"
)
"""Kinds of street that rarely mean anything else when they are written in lower case."""

_BUILDINGS = (
    "Court|House|Cottage|Building|Tower|Lodge|Mansions|Apartments|Hall|Farm|Wharf|Mill|Quay|Heights|Mews"
    "|Point|Place|Villas"
)
_STATES = (
    "A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]"
)
_LOWER_CASE_STATES = (
    "a[lkzr]|c[at]|dc|fl|ga|i[dl]|k[sy]|m[dns]|n[evhjmycd]|ri|s[cd]|t[nx]|ut|v[ta]|w[avy]|nebraska|texas|ohio"
)
"""Codes of states that are no ordinary word when they are written in lower case."""

_STATE_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois"
    "|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri"
    "|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma"
    "|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington"
    "|West Virginia|Wisconsin|Wyoming"
)

_SEPARATOR = r"[,\s]{1,3}"
_WORD = r"[A-Za-z][\w'\u2019.-]{0,20}"
_CAPITAL = r"(?:[A-Z][\w'\u2019-]{1,20}\.?|[A-Z]|\d{1,3}(?:st|nd|rd|th|ST|ND|RD|TH)\b)"
_DIRECTION = r"(?:[NSEW]\.?|NW|NE|SW|SE|North|South|East|West|NORTH|SOUTH|EAST|WEST)"
_NUMBERED_ROAD = r"(?i:(?:county|state|farm|rural) (?:road|rd|route|highway|hwy)|route|rte|highway|hwy) \d{1,4}\b"
_UNIT = r"(?:(?i:flat|apartment|apt|unit|suite|ste|room|floor)\b\.?\s?#?\s?|#\s?)\w{1,5}\b"
_HOUSE = r"(?<![\w$£€.,/#-])\d{1,5}[A-Za-z]?(?:-\d{1,4})?"
_NO_STREET = (
    r"(?:on|in|my|the|to|of|an?|and|or|for|from|at|is|was|days?|weeks?|months?|years?|miles?|minutes?"
    r"|mins?|hours?|hrs?|times"
    r"|dollars|pounds|more|late|payments?|by|per|with|i|it|no|not|out|over|different|other|of|pm|am)\b"
)
_LOWER = rf"(?:(?!{_NO_STREET})[a-z][a-z'\u2019]{{1,19}}\s)"
_ZIP = r"\d{5}(?:-\d{4})?(?!\d)"
_POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]?[\s-]?\d[ABD-HJLNP-UW-Z]{2}(?!\w)"
_STATE = rf"(?:(?:{_STATES}|(?i:{_STATE_NAMES}))\b\.?)"

_STREET = re.compile(
    rf"{_HOUSE},?\s(?:(?i:{_DIRECTION})\s)?(?:{_NUMBERED_ROAD}|"
    rf"(?:{_CAPITAL}\s){{1,4}}?(?i:{_STREETS})\b\.?"
    rf"|The\s{_CAPITAL}"
    rf"|(?:\d{{1,3}}(?:st|nd|rd|th)\s{_LOWER}{{0,2}}?|{_LOWER}{{1,3}}?)(?:{_LOWER_CASE_STREETS})\b\.?"
    rf")(?:\s{_DIRECTION}(?!\w))?"
)
_BOX = re.compile(r"\b(?:p\.?\s?o\.?\s?|post office )box\s#?\d{1,7}\b", re.IGNORECASE)
_LIVES_AT = re.compile(
    r"\b(?i:(?:li(?:ve|ves|ved|ving)|resid(?:e|es|ed|ing)|address(?: is| was|:)?|moved)(?: at| to)?)\s"
    rf"(?P<place>{_HOUSE},?\s{_CAPITAL}(?:\s{_CAPITAL}){{0,3}})"
)
_TAILS = tuple(
    re.compile(tail)
    for tail in (
        rf"(?:{_SEPARATOR}{_UNIT})?(?:{_SEPARATOR}{_WORD}){{1,5}}?{_SEPARATOR}(?:{_STATE}|(?i:{_STATES}))"
        rf"(?:{_SEPARATOR}|-){_ZIP}",
        rf"(?:{_SEPARATOR}{_UNIT})?(?:{_SEPARATOR}{_WORD}){{0,6}}?{_SEPARATOR}(?i:{_POSTCODE})",
        rf"(?:{_SEPARATOR}{_UNIT})?(?:{_SEPARATOR}{_CAPITAL}){{1,3}}?{_SEPARATOR}{_STATE}",
        rf"(?:{_SEPARATOR}{_UNIT})?,\s(?:[a-z]{{2,20}}\s){{1,2}}?(?:{_LOWER_CASE_STATES})\b",
        rf"{_SEPARATOR}{_UNIT}",
    )
)
_HEAD = re.compile(rf"(?:{_UNIT}{_SEPARATOR})?(?:(?:{_CAPITAL}\s){{1,2}}(?:{_BUILDINGS})[,\s]{{1,2}})?\Z")
_HEAD_REACH = 60
"""How many characters before a house number are searched for a flat or the name of a house."""

_TOWN_AND_POSTCODE = re.compile(
    rf"(?<![\w$£€.,/#-])(?:\d{{1,4}}[a-z]?,?\s)?(?:{_CAPITAL}(?:\s{_CAPITAL}){{0,3}},\s){{0,4}}"
    rf"(?:{_CAPITAL}(?:\s{_CAPITAL}){{0,2}},?\s)?{_POSTCODE}"
)
_LOWER_CASE_POSTCODE = re.compile(r"\b[A-Za-z]{1,2}\d[A-Za-z\d]?[\s-]?\d[abd-hjlnp-uw-zABD-HJLNP-UW-Z]{2}\b")
_CITY_AND_ZIP = re.compile(rf"\b{_CAPITAL}(?:\s{_CAPITAL}){{0,2}},?\s{_STATE},?\s{_ZIP}")
_NAMED_ZIP = re.compile(rf"\bzip(?:\s?code)?(?:\s(?:is|was))?[\s:#]{{1,2}}(?P<zip>{_ZIP})", re.IGNORECASE)


def find_emails(text: str) -> Iterator[Span]:
    """Find email addresses of people and firms, also spelled out ("sam at mail dot com")."""
    if "@" in text:
        yield from matches(_EMAIL, text, Entity.EMAIL)
        yield from matches(_SPACED_EMAIL, text, Entity.EMAIL)
    yield from matches(_SPELLED_EMAIL, text, Entity.EMAIL)


def find_addresses(text: str) -> Iterator[Span]:
    """Find a house in a street, a post box or a postcode, with the place around it.

    The address of a firm is found too if it has the form of a person's address.
    """
    for match in _STREET.finditer(text):
        yield Span(_with_head(text, match.start()), _with_tail(text, match.end()), Entity.ADDRESS)
    for pattern, group in ((_BOX, 0), (_LIVES_AT, "place")):
        for found in matches(pattern, text, Entity.ADDRESS, group):
            yield Span(found.start, _with_tail(text, found.end), Entity.ADDRESS)
    for pattern in (_TOWN_AND_POSTCODE, _LOWER_CASE_POSTCODE, _CITY_AND_ZIP):
        yield from matches(pattern, text, Entity.ADDRESS)
    yield from matches(_NAMED_ZIP, text, Entity.ADDRESS, "zip")


def _with_head(text: str, start: int) -> int:
    """Return where the address begins, including a flat or the name of a house before the number."""
    head = _HEAD.search(text, max(0, start - _HEAD_REACH), start)
    return head.start() if head else start


def _with_tail(text: str, end: int) -> int:
    """Return where the address ends, including town, state and postcode as far as they are given."""
    return next((tail.end() for pattern in _TAILS if (tail := pattern.match(text, end))), end)
