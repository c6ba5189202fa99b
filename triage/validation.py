"""Validation messages in plain English: where the value stands, and which rule it breaks.

No message shows a value, a regular expression or the wording of a validation library.
"""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Matching:
    """Annotation of a string that has to match `pattern`; `rule` says so in words, after "must be".

    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter
    >>> Colour = Annotated[str, Matching(r"^#[0-9a-f]{6}$", "a colour such as #a0b1c2")]
    >>> try:
    ...     TypeAdapter(Colour).validate_python("red")
    ... except ValidationError as error:
    ...     print(problems(error, "colour"))
    colour: must be a colour such as #a0b1c2
    """

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern),
            custom_error_type="rule",
            custom_error_message=f"must be {self.rule}",
        )


_RULES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "dict_type": "must be an object with named fields",
    "model_type": "must be an object with named fields",
    "model_attributes_type": "must be an object with named fields",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} elements",
    "too_long": "must have at most {max_length} elements",
    "datetime_type": "must be a time, such as 2026-11-01T09:30:00Z",
    "datetime_parsing": "must be a time, such as 2026-11-01T09:30:00Z",
    "datetime_from_date_parsing": "must be a time, such as 2026-11-01T09:30:00Z",
    "timezone_aware": "must state its time zone, such as 2026-11-01T09:30:00Z",
    "json_invalid": "is not JSON",
    "json_type": "is not JSON",
}
"""By pydantic's error type; the braces are filled from the error's context."""


def problems(error: ValidationError, subject: str = "document") -> str:
    """Return every problem as `place: rule`, joined by semicolons.

    subject: what stands for a place where the rule is about the value as a whole.
    """
    return "; ".join(f"{place}: {rule}" for place, rule in problems_by_place(error, subject))


def problems_by_place(error: ValidationError, subject: str = "document") -> list[tuple[str, str]]:
    """Return the place, such as `arms.0.share`, and the broken rule of every problem."""
    return [
        (".".join(map(str, found["loc"])) or subject, _rule(found["type"], found.get("ctx") or {}, found["msg"]))
        for found in error.errors(include_url=False, include_input=False)
    ]


def _rule(kind: str, context: dict[str, Any], message: str) -> str:
    match kind:
        case "value_error" | "assertion_error":
            # A validator of this project raised it, and its message is the rule.
            return str(context["error"])
        case "rule":
            return message
        case _ if kind in _RULES:
            return _RULES[kind].format(**context)
        case _:
            return "is not valid"
