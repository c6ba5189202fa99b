"""Secrets of a card or login, numbers that are spelled out, and traces: vehicles, IP addresses and handles."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span, matches

_LINKS = (
    "is|was|are|as|of|being|code|number|no|nos|it|to|my|the|on|back|front|card|and|i|said|in|which|ist|es|est|lautet"
)
_IS = rf"(?:[ :=#,(\"'-]|\b(?:{_LINKS})\b){{0,12}}"
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?:cvv2?|cvc2?|csc|cv2|cid|(?<!social )security (?:code|digits)"
    r"|card verification (?:value|code|number)"
    rf"|(?:three|3|four|4)[- ]digit code){_IS}(?P<code>\d[ -]?\d[ -]?\d(?:[ -]?\d)?)(?![\w%]|[.,]\d)",
    re.IGNORECASE,
)
_PIN = re.compile(
    r"(?<![A-Za-z0-9])(?:pin|pins|pin ?code|pin ?number|geheimzahl|passcode|pass ?code|access code"
    r"|one[- ]time (?:code|password|passcode)|otp"
    rf"|verification code|memorable (?:number|code)|tan"
    rf"|atm code){_IS}(?P<code>\d(?:[ -]?\d){{3,7}})(?![\w%]|[.,/-]\d)",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"\b(?:password|passwort|contrase\u00f1a|mot de passe)\b(?: (?:is|was|ist|es|est)|:"
    r"| =) ?[\"']?(?P<code>(?=\S*\d)[^\s\"',;]{4,40})",
    re.IGNORECASE,
)

_DIGIT_WORDS = "zero|oh|o|nought|one|two|three|four|five|six|seven|eight|nine|niner"
_SPELLED_DIGIT = rf"(?:(?:double|triple) (?:{_DIGIT_WORDS}|\d)|{_DIGIT_WORDS}|\d)"
_SPELLED = re.compile(
    # At least six, four of them words: fewer are read as ordinary counts, such as "one or two".
    rf"(?<!\w)(?={_SPELLED_DIGIT}(?:[ ,.-]{{1,3}}{_SPELLED_DIGIT}){{5}}){_SPELLED_DIGIT}"
    rf"(?:[ ,.-]{{1,3}}{_SPELLED_DIGIT}){{5,24}}(?!\w)",
    re.IGNORECASE,
)
_SPELLED_NAMED = re.compile(
    r"\b(?:pin|account|acct|card|phone|mobile|cell|ssn|social security|sort code|code|cvv|ending in"
    r"|ends in|last four|reference)"
    rf"(?: (?:number|digits|no|code))?{_IS}(?P<code>(?:{_DIGIT_WORDS})(?:[ ,-]{{1,2}}"
    rf"(?:{_DIGIT_WORDS})){{2,5}})(?!\w)",
    re.IGNORECASE,
)
_DIGIT_WORD = re.compile(rf"\b(?:{_DIGIT_WORDS})\b", re.IGNORECASE)

_UK_PLATE = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}[ -]?[A-Z]{3}(?![\w-])")
_NAMED_PLATE = re.compile(
    r"(?i:\b(?:(?:licen[sc]e|number|registration|vehicle|car|vanity) plates?|plates?"
    r"|reg(?:istration)?(?: number| no\.?)?|tag number|kennzeichen|matr\u00edcula|immatriculation)"
    r"(?: (?:number|no\.?|is|was|of|reads|says|#|ist|es|est|the|my|car)|[ :#=]){0,4} ?)"
    r"(?P<plate>(?=[A-Z0-9 -]{0,9}\d)(?=[A-Z0-9 -]{0,9}[A-Z])[A-Z0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,2})(?![\w-])"
)
_VIN = re.compile(r"(?<!\w)(?=[A-Z]*\d)(?=\d*[A-Z])[A-HJ-NPR-Z0-9]{11}\d{6}(?!\w)")

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(
    rf"(?<![\w.$\u00a3\u20ac-])(?<!version )(?<!section )(?<!v)(?:{_OCTET}\.){{3}}{_OCTET}(?::\d{{2,5}}"
    rf"|/\d{{1,2}})?(?![\w]|\.\d)"
)
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){3,7}(?::?[0-9A-Fa-f]{1,4}){1,4}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])")

_SITES = (
    "instagram|insta|twitter|facebook|tiktok|snapchat|telegram|venmo|cash ?app|zelle|skype"
    "|discord|whatsapp|paypal|reddit|linkedin|youtube|steam|ebay"
)
_AT_HANDLE = re.compile(r"(?<![\w.@/])@[A-Za-z_][\w.]{1,28}\w(?![\w@])")
_CASHTAG = re.compile(r"(?<![\w$])\$(?!X{2})(?=[A-Za-z])[A-Za-z0-9_-]{3,20}(?!\w)")
_NAMED_HANDLE = re.compile(
    rf"(?i:\b(?:(?:{_SITES}) (?:handle|user ?name|account|name|id|tag|profile)|handle|user ?name|user id"
    rf"|screen ?name|login(?: name| id)?|gamertag|benutzername|usuario)"
    r"(?: (?:is|was|being|on (?:\w+)|ist|es)|[ :=]){1,3} ?)[\"']?"
    r"(?P<handle>@?(?!X{2})(?=\w*[\d_]|\w+[.-]\w*[\d_]|\w+\.\w+\w|[a-z]+[A-Z])[A-Za-z_]\w*(?:[.-]\w+){0,3})"
)
_PROFILE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:instagram|twitter|x|facebook|tiktok|linkedin|t|venmo|paypal)\.(?:com"
    r"|me)/(?:in/|u/)?[\w.@-]{2,40}",
    re.IGNORECASE,
)


def find_secrets(text: str) -> Iterator[Span]:
    """Find PINs, one-time codes, passwords and the security codes of cards, each after the word that names it."""
    for pattern in (_CODE, _PIN, _PASSWORD):
        yield from matches(pattern, text, Entity.SECRET, "code")


def find_spelled_digits(text: str) -> Iterator[Span]:
    """Find numbers in words, such as "four one one one"; shorter ones only after a word such as "account"."""
    for match in _SPELLED.finditer(text):
        if len(_DIGIT_WORD.findall(match[0])) >= 4:
            yield Span(match.start(), match.end(), Entity.ACCOUNT)
    yield from matches(_SPELLED_NAMED, text, Entity.ACCOUNT, "code")


def find_vehicles(text: str) -> Iterator[Span]:
    """Find licence plates, of the UK by their form and others after the word, and identification numbers."""
    yield from matches(_UK_PLATE, text, Entity.VEHICLE)
    yield from matches(_NAMED_PLATE, text, Entity.VEHICLE, "plate")
    yield from matches(_VIN, text, Entity.VEHICLE)


def find_devices(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6, _MAC):
        yield from matches(pattern, text, Entity.DEVICE)


def find_handles(text: str) -> Iterator[Span]:
    """Find the names that people have on the web: `@name`, `$name`, and those that a word introduces."""
    yield from matches(_NAMED_HANDLE, text, Entity.HANDLE, "handle")
    for pattern in (_AT_HANDLE, _CASHTAG, _PROFILE):
        yield from matches(pattern, text, Entity.HANDLE)
