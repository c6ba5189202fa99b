"""From a text to one without personal data, the same in training, serving, explanations and exports."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from triage.redaction.accounts import find_accounts
from triage.redaction.addresses import find_addresses
from triage.redaction.births import find_births
from triage.redaction.cards import find_cards
from triage.redaction.emails import find_emails
from triage.redaction.endings import find_endings
from triage.redaction.entities import Entity, Span, concealed, merged
from triage.redaction.identity import find_national_insurance, find_social_security
from triage.redaction.names import find_names
from triage.redaction.phones import find_phones

REDACTION_VERSION = "2026-11-22"
"""Changes with everything that may change a redacted text: rules, word lists, the library's data."""

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
    find_names,
)

PASSES = 6
"""A replaced span can uncover another, as the neighbour that hid it is gone; two passes are enough but for contrived
texts. The limit keeps time linear."""


@dataclass(frozen=True)
class Redacted:
    """counts: replaced spans by entity, without entities that were not found."""

    text: str
    counts: Mapping[Entity, int]


def redact(text: str) -> Redacted:
    """Replace each span of personal data by the placeholder of its entity. What CFPB scrubbed (`XXXX`) stays.

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
    """The redacted text, and for each of its characters the place in `text` that it stands for, never descending.

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
    """What one pass finds: in order, apart from each other, none within a placeholder."""
    searched = concealed(text)
    return merged(span for recogniser in RECOGNISERS for span in recogniser(searched))


def _replaced(text: str, spans: tuple[Span, ...]) -> str:
    parts, done = [], 0
    for span in spans:
        parts += [text[done : span.start], span.entity.placeholder]
        done = span.end
    return "".join([*parts, text[done:]])
