"""Numbers of payment cards, telephones and customers' records, and the last digits of masked numbers."""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from triage.redaction.entities import Entity, Span, matches

_REACH = 40
"""How many characters before a number are searched for the word that says what the number is."""

_CARD = re.compile(r"(?<![\w$£€.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_CARD_WORD = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|debit|credit|maestro)\b[^\d\n.]{0,20}\Z", re.IGNORECASE
)
_CARD_GROUPS = re.compile(r"[3-6]\d{3}(?P<gap>[ -])(?:\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|\d{6}(?P=gap)\d{5})")


def find_cards(text: str) -> Iterator[Span]:
    """Find whole card numbers: with a right check digit, in a card's groups, or after a word for a card."""
    for match in _CARD.finditer(text):
        named = _CARD_WORD.search(text, max(0, match.start() - _REACH), match.start())
        if _CARD_GROUPS.fullmatch(match[0]) or (match[0][0] in "3456" and (named or passes_luhn(match[0]))):
            yield Span(match.start(), match.end(), Entity.CARD)


def passes_luhn(number: str) -> bool:
    """Whether the check digit is right by Luhn's formula (ISO/IEC 7812)."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


_ENDING = re.compile(
    r"\b(?:ending|ends|ended|last (?:four|4|five|5)(?: digits?| numbers?)?)"
    r"(?: (?:in|with|on|of|are|is|by|my|the|ssn|social(?: security)?(?: number)?|card|account|numbers?"
    r"|digits?)\b|[ ,:#-]){0,8} ?(?P<digits>\d{3,6})(?!\w|[.,/-]\d|%)",
    re.IGNORECASE,
)
_MASKED = re.compile(
    r"(?<![A-Za-z0-9/*•])[xX*•]{2,20}(?:[ -][xX*•]{2,20}){0,4}-?(?P<digits>\d{4,6}|(?<=\*)\d{3})(?![\w/])"
)
_MASKED_SOCIAL_SECURITY = re.compile(r"[xX*•]{3}-[xX*•]{2}-")
_ENDING_REACH = 45
"""How many characters before the digits are searched for the word that says whose last digits they are."""

_OWNERS = (
    (re.compile(r"\b(?:ssn|social)\b", re.IGNORECASE), Entity.SOCIAL_SECURITY),
    (re.compile(r"\b(?:phone|cell|mobile|tele?phone)\b", re.IGNORECASE), Entity.PHONE),
    (re.compile(r"\b(?:card|visa|master ?card|amex|debit|maestro)\b", re.IGNORECASE), Entity.CARD),
    (re.compile(r"\b(?:account|acct|a/c|loan)", re.IGNORECASE), Entity.ACCOUNT),
)


def find_endings(text: str) -> Iterator[Span]:
    """Find the visible digits of a masked number ("ending in 4821", "****4821"): helplines ask for them."""
    for match in _ENDING.finditer(text):
        owner = _owner(text, match)
        if owner or not _is_year(match["digits"]):
            yield Span(match.start("digits"), match.end("digits"), owner or Entity.ACCOUNT)
    for match in _MASKED.finditer(text):
        if _MASKED_SOCIAL_SECURITY.match(match[0]):
            yield Span(match.start("digits"), match.end("digits"), Entity.SOCIAL_SECURITY)
        elif not _is_scrubbed_date(match):
            yield Span(match.start("digits"), match.end("digits"), _owner(text, match) or _owner_by_groups(match))


def _owner(text: str, match: re.Match[str]) -> Entity | None:
    """Return the kind of number that is named last before the digits, or None."""
    before = text[max(0, match.start("digits") - _ENDING_REACH) : match.start("digits")]
    named = [(found.end(), entity) for pattern, entity in _OWNERS for found in pattern.finditer(before)]
    return max(named)[1] if named else None


def _owner_by_groups(match: re.Match[str]) -> Entity:
    return Entity.CARD if len(re.findall(r"[xX*•]{4}", match[0])) == 3 else Entity.ACCOUNT


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in {"19", "20"}


def _is_scrubbed_date(match: re.Match[str]) -> bool:
    """CFPB writes XX/XX/2019, and some of its sources have lost the slashes."""
    return "*" not in match[0] and "-" not in match[0] and _is_year(match["digits"])


_START = r"(?<![\w$£€./-])"
_END = r"(?![\w/]|[.-]\d)"
_EXTENSION = r"(?:,? ?(?:ext|extension|x)\.? ?\d{1,6}\b)?"
_PHONES = (
    (
        re.compile(rf"{_START}(?:\+?1[ .-]?)?(?:\(\d{{3}}\) ?-?|[2-9]\d\d[ .-])\d{{3}}[ .-]\d{{4}}{_END}{_EXTENSION}"),
        "US",
    ),
    (re.compile(rf"{_START}(?:\+44|0044)[ .-]?(?:\(0\)[ .-]?)?\(?\d(?:[ .)-]{{0,2}}\d){{8,9}}{_END}"), "GB"),
    (re.compile(rf"{_START}\(?0\d{{2,4}}\)?[ .-]\d{{3,6}}(?:[ .-]\d{{3,4}})?{_END}"), "GB"),
    (re.compile(rf"{_START}\+\d(?:[ .()-]{{0,2}}\d){{7,14}}{_END}"), "US"),
)
_BARE_PHONE = re.compile(rf"{_START}(?:\d{{3}}[.-]?\d{{4}}|\d{{10}}|[01]\d{{10}}){_END}")
_PHONE_WORD = re.compile(
    r"\b(?:call(?:ed|s|ing)?|phone|ph|cell|mobile|tel(?:ephone)?|texts?|texted|landline|ring|rang"
    r"|dial(?:ed|led)?|reach|contact|fax)"
    r"\b[^\d\n]{0,24}\Z",
    re.IGNORECASE,
)
_OTHER_WORD = re.compile(
    r"\b(?:account|acct|loan|policy|member|customer|reference|ref|case|claim|mortgage|iban|routing|tracking)\b"
    r"[^\d\n.]{0,24}\Z",
    re.IGNORECASE,
)
_TYPES_OF_FIRMS = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)


def find_phones(text: str) -> Iterator[Span]:
    """Find telephone numbers of people. Lines of firms (1-800, 0345) are left: they say who was called."""
    for pattern, region in _PHONES:
        for match in pattern.finditer(text):
            if not _is_of_a_firm(match[0], region) and not _is_named_otherwise(text, match.start()):
                yield Span(match.start(), match.end(), Entity.PHONE)
    for match in _BARE_PHONE.finditer(text):
        named = _is_named_phone(text, match.start())
        if named or (_is_in_use(match[0]) and not _is_named_otherwise(text, match.start())):
            yield Span(match.start(), match.end(), Entity.PHONE)


def is_line_of_a_firm(number: str) -> bool:
    """Whether a number, however it is written, is one that only organisations have in the US or the UK."""
    region = "GB" if number.startswith(("0", "+44", "(0")) else "US"
    return _is_of_a_firm(number, region)


def _is_of_a_firm(number: str, region: str) -> bool:
    parsed = _parsed(number, region)
    return parsed is not None and phonenumbers.number_type(parsed) in _TYPES_OF_FIRMS


def _is_named_phone(text: str, start: int) -> bool:
    return bool(_PHONE_WORD.search(text, max(0, start - _REACH), start))


def _is_named_otherwise(text: str, start: int) -> bool:
    return bool(_OTHER_WORD.search(text, max(0, start - _REACH), start)) and not _is_named_phone(text, start)


def _is_in_use(digits: str) -> bool:
    """Whether the numbering plan assigns the digits, so that a person's telephone is not taken for an account."""
    if len(digits) < 10:
        return False
    region = "GB" if digits.startswith("0") else "US"
    parsed = _parsed(digits, region)
    return parsed is not None and phonenumbers.is_valid_number(parsed) and not _is_of_a_firm(digits, region)


def _parsed(number: str, region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None


_RECORD = (
    r"(?:accounts?|accts?|acc|a/c|loan|mortgage|policy|member(?:ship)?|customer|client|reference|ref|case"
    r"|claim|ticket"
    r"|confirmation|tracking|routing|aba|application|complaint|file|invoice|dispute|transaction|reservation|swift)"
)
_NUMBER = r"(?:numbers?|nos?\.?|num\b|nbr|id\b|code|#|№)"
_LINK = r"(?:[ \t,:#=(\"'-]|\b(?:is|was|of|on|in|your|my|the|their|letter|statement|for|as|being)\b)"
_VALUE = r"[A-Za-z]{0,5}[/-]?\d[\dA-Za-z*/-]{2,24}(?: \d{2,6}(?![\w/.,%-])){0,4}"
_NAMED_ACCOUNT = re.compile(
    rf"\b(?:(?P<number>{_RECORD}(?: (?:account|card|report))?[ .]{{0,2}}{_NUMBER}|{_RECORD} ?#"
    rf"|sort[ -]?code|s/c|iban)"
    rf"|{_RECORD}){_LINK}{{0,10}}(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_DIGITS_AFTER_NUMBER, _DIGITS_AFTER_RECORD = 4, 5
"""The digits that a value needs after a phrase such as "account number", and after "account" alone."""

_IBAN = re.compile(r"(?<!\w)(?P<value>[A-Z]{2}\d{2}(?:[ ./-]?[A-Z0-9]{4}){3,7}(?:[ ./-]?[A-Z0-9]{1,3})?)(?!\w)")
_SORT_CODE = re.compile(
    r"\b(?:sort[ -]?codes?|s/c)(?:\W| no\b| number\b){0,4}(?:(?:is|was"
    r"|of)\b ?)?(?P<value>\d{2}[ -]?\d{2}[ -]?\d{2})(?!\d)",
    re.I,
)
_LONG_ACCOUNT = re.compile(
    r"(?<![\w$£€.,/@#-])#?(?P<value>\d(?:-?\d){7,21})(?![\w/@%]|[.,-]\d)(?! ?(?:dollars|pounds|USD|GBP)\b)"
)
_GROUPED_ACCOUNT = re.compile(
    r"(?<![\w$£€.,/-])(?P<value>\d{3,6}(?P<gap>[ -])\d{3,6}(?:(?P=gap)\d{2,6}){1,5})(?![\w/%]|[.,-]\d)"
)
_DATES = re.compile(
    r"(?:19|20)\d{2}-?[01]\d-?[0-3]\d|\d{1,2}-\d{1,2}-(?:\d{2}|\d{4})|[01]?\d[0-3]\d(?:19|20)\d{2}"
    # Ranges of years, and of sections of a law.
    r"|\d{4}-\d{4}"
)


def find_sort_codes(text: str) -> Iterator[Span]:
    return matches(_SORT_CODE, text, Entity.ACCOUNT, "value")


def find_accounts(text: str) -> Iterator[Span]:
    """Find the numbers by which a firm finds a customer's record."""
    for match in _NAMED_ACCOUNT.finditer(text):
        value = match["value"].rstrip("-/")
        needed = _DIGITS_AFTER_NUMBER if match["number"] else _DIGITS_AFTER_RECORD
        if sum(map(str.isdigit, value)) >= needed and not _DATES.fullmatch(value.replace("/", "-")):
            yield Span(match.start("value"), match.start("value") + len(value), Entity.ACCOUNT)
    yield from matches(_IBAN, text, Entity.ACCOUNT, "value")
    yield from find_sort_codes(text)
    for pattern in (_LONG_ACCOUNT, _GROUPED_ACCOUNT):
        for match in pattern.finditer(text):
            if not _DATES.fullmatch(match["value"]) and not is_line_of_a_firm(match["value"]):
                yield Span(match.start("value"), match.end("value"), Entity.ACCOUNT)
