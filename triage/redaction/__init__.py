"""Redaction: finds personal data in complaints and replaces it by placeholders such as `[NAME]`."""

from triage.redaction.entities import Entity, Span
from triage.redaction.language import is_covered, is_covered_sentence
from triage.redaction.redactor import REDACTION_VERSION, Redacted, find, redact, redact_aligned, redact_text

__all__ = [
    "REDACTION_VERSION",
    "Entity",
    "Redacted",
    "Span",
    "find",
    "is_covered",
    "is_covered_sentence",
    "redact",
    "redact_aligned",
    "redact_text",
]
