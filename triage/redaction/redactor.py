"""Replaces personal data in a text, in the same way for training, serving, explanations and exports."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from triage.redaction.addresses import find_addresses, find_emails
from triage.redaction.entities import Entity, Span, blanked, merged
from triage.redaction.identity import find_births, find_national_insurance, find_social_security
from triage.redaction.names import find_names
from triage.redaction.numbers import find_accounts, find_cards, find_endings, find_phones, find_sort_codes
from triage.redaction.plain import joined, plain
from triage.redaction.secrets import find_devices, find_handles, find_secrets, find_spelled_digits, find_vehicles

REDACTION_VERSION = "2026-12-01"
"""Change it with everything that may change a redacted text: a rule, a word list, the data of `phonenumbers`."""

RECOGNISERS: tuple[Callable[[str], Iterator[Span]], ...] = (
    find_emails,
    find_national_insurance,
    find_social_security,
    find_births,
    find_cards,
    find_endings,
    find_addresses,
    find_phones,
    find_accounts,
    find_secrets,
    find_spelled_digits,
    find_vehicles,
    find_devices,
    find_handles,
    find_names,
)
RECOGNISERS_OF_NUMBERS: tuple[Callable[[str], Iterator[Span]], ...] = (
    find_national_insurance,
    find_social_security,
    find_cards,
    find_phones,
    find_sort_codes,
)
"""They also read a text with one kind of separator between digits. Others would take amounts and dates for numbers."""

PASSES = 6
"""Replacing one span can reveal another. Real texts need two passes; the limit keeps the time linear."""


@dataclass(frozen=True)
class Redacted:
    """counts: how many spans of each entity were replaced; an entity that was not found is absent."""

    text: str
    counts: Mapping[Entity, int]


def redact(text: str) -> Redacted:
    """Replace each span of personal data by the placeholder of its entity. The `XXXX` that CFPB wrote stays.

    >>> redact("I am John Smith, call (212) 555-0187").text
    'I am [NAME], call [PHONE]'
    """
    counts: Counter[Entity] = Counter()
    for _ in range(PASSES):
        spans = find(text)
        if not spans:
            break
        counts.update(span.entity for span in spans)
        text = _replaced(text, spans)
    return Redacted(text=text, counts=dict(counts))


def redact_aligned(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the redacted text, and for each of its characters the position in `text` that it comes from.

    The positions never descend.

    >>> redact_aligned("call (212) 555-0187 now")
    ('call [PHONE] now', (0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 19, 20, 21, 22))
    """
    origins = list(range(len(text)))
    for _ in range(PASSES):
        spans = find(text)
        if not spans:
            break
        aligned, done = list[int](), 0
        for span in spans:
            aligned += [*origins[done : span.start], *[origins[span.start]] * len(span.entity.placeholder)]
            done = span.end
        origins = [*aligned, *origins[done:]]
        text = _replaced(text, spans)
    return text, tuple(origins)


def redact_text(text: str) -> str:
    return redact(text).text


def find(text: str) -> tuple[Span, ...]:
    """Return the spans that one pass finds: in order, not overlapping, and none inside a placeholder."""
    read = plain(blanked(text))
    numbers = joined(read)
    found = list(read.back(span for recogniser in RECOGNISERS for span in recogniser(read.text)))
    if numbers is not read:
        found += numbers.back(span for recogniser in RECOGNISERS_OF_NUMBERS for span in recogniser(numbers.text))
    return merged(found)


def _replaced(text: str, spans: tuple[Span, ...]) -> str:
    parts, done = [], 0
    for span in spans:
        parts += [text[done : span.start], span.entity.placeholder]
        done = span.end
    return "".join([*parts, text[done:]])
