"""A simulator of IAM: whether a policy document of a template allows a request.

It knows what our policies use, and raises on anything else, so that nothing is passed over in silence.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "111122223333", "AWS::Region": "eu-west-2"}
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"

Document = Mapping[str, Any]


def text(value: Any) -> str:
    """Return a value of a template with the account and partition filled in."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return PSEUDO[argument]
    if function == "Fn::Join":
        separator, parts = argument
        return str(separator).join(map(text, parts))
    raise ValueError(f"{function} is not simulated yet: add it here")


def assumed_by_token(trust: Document, *, sub: str, aud: str = "sts.amazonaws.com", provider: str = PROVIDER) -> bool:
    """Return whether AWS STS would give the role to a holder of this token of GitHub."""
    issuer = provider.partition("oidc-provider/")[2]
    context = {f"{issuer}:sub": [sub], f"{issuer}:aud": [aud]}
    return _decide(
        [
            statement
            for statement in trust["Statement"]
            if statement["Principal"].keys() == {"Federated"} and text(statement["Principal"]["Federated"]) == provider
        ],
        action="sts:AssumeRoleWithWebIdentity",
        resource=None,
        context=context,
    )


def allowed(policy: Document, action: str, resource: str, context: Mapping[str, list[str]] | None = None) -> bool:
    return _decide(policy["Statement"], action=action, resource=resource, context=context or {})


def _decide(
    statements: Iterable[Document], *, action: str, resource: str | None, context: Mapping[str, list[str]]
) -> bool:
    matching = [
        statement["Effect"]
        for statement in statements
        if any(_like(action, pattern) for pattern in _listed(statement["Action"]))
        and (resource is None or any(_like(resource, text(each)) for each in _listed(statement["Resource"])))
        and _holds(statement.get("Condition", {}), context)
    ]
    return "Allow" in matching and "Deny" not in matching


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, list[str]]) -> bool:
    return all(
        _one_holds(operator, [text(value) for value in _listed(wanted)], context.get(key))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _one_holds(operator: str, wanted: list[str], present: list[str] | None) -> bool:
    if operator == "Null":
        return wanted == [str(present is None).lower()]
    if operator == "StringEquals":
        return present is not None and len(present) == 1 and present[0] in wanted
    if operator == "StringLike":
        return present is not None and len(present) == 1 and any(_like(present[0], each) for each in wanted)
    if operator == "ForAllValues:StringLike":
        return all(any(_like(value, each) for each in wanted) for value in present or ())
    raise ValueError(f"the operator {operator} is not simulated yet: add it here")


def _like(value: str, pattern: str) -> bool:
    """Compare as IAM does: `*` and `?` are wildcards, brackets are not, and case counts."""
    return fnmatchcase(value, re.sub(r"\[", "[[]", pattern))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
