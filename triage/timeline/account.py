"""The account of a complaint that is given to whoever may ask: what happened in the order of time, the records that say
so, the chain that seals them, and what is wrong with them."""

import json
from collections.abc import Iterable
from typing import Final, Literal, Self

from triage.audit.chain import Link
from triage.audit.verification import Finding
from triage.timeline.events import AnyMoment
from triage.timeline.records import Records
from triage.timeline.timeline import moments

SCHEMA_VERSION: Final = 1
"""The next one where a field goes or changes its meaning; one that is added needs none."""


class Account(Records):
    """Everything that there is to say about a complaint.

    moments: the story, the oldest first. links, inbox_links: the chains that seal the records and the feedback as it
    was handed in, by hashes. findings: what is wrong with records or chains; empty where all is as it was sealed.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    moments: tuple[AnyMoment, ...]
    links: tuple[Link, ...] = ()
    inbox_links: tuple[Link, ...] = ()
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(
        cls,
        records: Records,
        *,
        links: Iterable[Link] = (),
        inbox_links: Iterable[Link] = (),
        findings: Iterable[Finding] = (),
    ) -> Self:
        chain = _in_order(links)
        return cls(
            **{name: getattr(records, name) for name in Records.model_fields},
            moments=tuple(moments(records, chain)),
            links=chain,
            inbox_links=_in_order(inbox_links),
            findings=tuple(findings),
        )


def schema() -> str:
    """The JSON Schema of an account, as it is kept in `docs/schemas/story.json`."""
    facts = Account.model_json_schema(mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:complaints-triage:story:{SCHEMA_VERSION}",
    }
    return json.dumps(head | facts, indent=2, ensure_ascii=False) + "\n"


def _in_order(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(links, key=lambda link: link.sequence))
