"""The full account of a complaint: timeline, records, the chain that seals them, and differences between them."""

import json
from collections.abc import Iterable
from typing import Any, Final, Literal, Self

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from triage.audit.chain import Link
from triage.audit.verification import Finding
from triage.clock import Clock
from triage.contracts import Contract
from triage.story import AllocationEntry
from triage.timeline.records import Records
from triage.timeline.timeline import AnyMoment, moments

SCHEMA_VERSION: Final = 1
"""Raise it when a field of the document is removed or changes its meaning. An added field needs no new version."""

LINE: Final = 120
"""Characters of a line in the schema."""


class Audit(Contract):
    """Whether a complaint was drawn for labelling, and the stratum and probability with which it was."""

    drawn: bool
    inclusion: float | None = None
    stratum: str | None = None

    @classmethod
    def of(cls, allocation: AllocationEntry) -> Self:
        found = allocation.drawn
        return cls(drawn=found is not None, **(dict(found) if found else {}))


class Account(Contract):
    """Everything that is known about one complaint, except its text.

    records: what is stored. moments: what happened, the oldest first. links, inbox_links: the links of the hash chains
    over the records and the feedback rows. findings: differences between records and chains; empty if there are none.
    clock: until when the bank has to answer, and audit: how the complaint was drawn for labelling; both None before
    there is an allocation.
    """

    records: Records
    schema_version: Literal[1] = SCHEMA_VERSION
    moments: tuple[AnyMoment, ...]
    links: tuple[Link, ...] = ()
    inbox_links: tuple[Link, ...] = ()
    findings: tuple[Finding, ...] = ()
    clock: Clock | None = None
    audit: Audit | None = None

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
            records=records,
            moments=tuple(moments(records, chain)),
            links=chain,
            inbox_links=_in_order(inbox_links),
            findings=tuple(findings),
            clock=records.allocation and records.allocation.clock,
            audit=Audit.of(records.allocation) if records.allocation else None,
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON document that `triage show --json` prints. The records' fields stand beside `moments`."""
        own = self.model_dump(mode="json")
        return {**own.pop("records"), **own}


def schema() -> str:
    """Return the JSON Schema of the document, which `docs/schemas/story.json` holds."""
    account = Account.model_json_schema(mode="serialization", schema_generator=_Short)
    records = account["$defs"].pop("Records")
    for definition in account["$defs"].values():
        # The title repeats the key of the definition.
        definition.pop("title", None)
    own = {name: value for name, value in account["properties"].items() if name != "records"}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:complaints-triage:story:{SCHEMA_VERSION}",
        **account,
        "description": f"{account['description']}\n\n{records['description']}",
        "properties": records["properties"] | own,
        "required": [*records["required"], *(name for name in account["required"] if name != "records")],
    }
    return _spelled(document) + "\n"


class _Short(GenerateJsonSchema):
    """Writes no titles, which would repeat the names of fields, and writes an optional value as one list of types."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if isinstance(inner.get("type"), str) and not inner.keys() & {"enum", "const"}:
            return inner | {"type": [inner["type"], "null"]}
        return super().nullable_schema(schema)


def _spelled(value: Any, indent: str = "", used: int = 0) -> str:
    """Return JSON, where a value takes one line if it fits. used: other characters on its line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + used + len(line) <= LINE:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        parts = [_spelled(element, deeper, 1) for element in value]
    else:
        names = [json.dumps(name, ensure_ascii=False) + ": " for name in value]
        parts = [
            name + _spelled(element, deeper, len(name) + 1) for name, element in zip(names, value.values(), strict=True)
        ]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{end}"


def _in_order(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(links, key=lambda link: link.sequence))
