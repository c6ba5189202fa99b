"""Maps the names of every complaint form since 2011 to the taxonomy.

CFPB renamed products and issues on 24 April 2017 and 24 August 2023, so that one of them can have three names. The
rules are in `crosswalk.toml`, each with its reason; their names are those of the forms and of the published database.
"""

import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from triage.contracts import Contract
from triage.errors import UnknownNameError
from triage.taxonomy import Name, load_taxonomy

Names = tuple[Name, ...]

ABSENT = frozenset({"", "n/a", "na", "nan", "none", "null"})
"""How exports write that the form did not ask for a sub-product or sub-issue."""


class Label(Contract):
    """What a complaint is about, in the names of the taxonomy. issue: one of the issues of `product`."""

    product: Name
    issue: Name


class _Rule(Contract):
    """A rule fits if all its conditions fit. A condition without names fits every value, even a missing one."""

    to: Name
    reason: Name

    @property
    def conditions(self) -> tuple[Names, ...]:
        raise NotImplementedError

    @cached_property
    def _keys(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(map(_key, names)) for names in self.conditions)

    def fits(self, *values: str | None) -> bool:
        return all(not keys or _key(value) in keys for keys, value in zip(self._keys, values, strict=True))

    def covers(self, other: "_Rule") -> bool:
        """Return whether this rule fits wherever `other` does. If so, `other` never applies after this rule."""
        return all(
            not mine or (theirs and theirs <= mine) for mine, theirs in zip(self._keys, other._keys, strict=True)
        )


class ProductRule(_Rule):
    products: Names = Field(min_length=1)
    sub_products: Names = ()
    issues: Names = ()

    @property
    def conditions(self) -> tuple[Names, ...]:
        return self.products, self.sub_products, self.issues


class IssueRule(_Rule):
    """under: the products of the taxonomy to which the rule applies, by default all that have the issue `to`."""

    under: Names = ()
    issues: Names = Field(min_length=1)
    sub_issues: Names = ()

    @model_validator(mode="after")
    def _leads_into_the_taxonomy(self) -> Self:
        if missing := [product for product in self.under if not load_taxonomy().has_issue(product, self.to)]:
            raise ValueError(f"{self.to!r} is not an issue of {', '.join(missing)}")
        return self

    @property
    def conditions(self) -> tuple[Names, ...]:
        return self.under or _products_with(self.to), self.issues, self.sub_issues


class KnownNames(Contract):
    """Names on the forms that need no rule of their own."""

    sub_products: Names
    sub_issues: Names


def _same_as_the_taxonomy(version: str) -> str:
    if version != load_taxonomy().version:
        raise ValueError(f"maps to taxonomy {version}, but this code has taxonomy {load_taxonomy().version}")
    return version


class Crosswalk(Contract):
    """All rules. version: of the rules; stored with the labels, as is the version of the taxonomy."""

    version: Name
    taxonomy: Annotated[Name, BeforeValidator(_same_as_the_taxonomy)]
    products: tuple[ProductRule, ...]
    issues: tuple[IssueRule, ...]
    names: KnownNames

    @model_validator(mode="after")
    def _every_rule_is_reached_and_arrives(self) -> Self:
        for rule in self.products:
            load_taxonomy().product(rule.to)
        for rules in (self.products, self.issues):
            for earlier, later in combinations(rules, 2):
                if earlier.covers(later):
                    raise ValueError(f"the rule to {later.to!r} is never reached: the one to {earlier.to!r} covers it")
        return self

    def label(self, product: str, *, issue: str, sub_product: str | None = None, sub_issue: str | None = None) -> Label:
        """Return product and issue in the names of the taxonomy. Raises UnknownNameError."""
        mapped = self.product(product, sub_product, issue)
        return Label(product=mapped, issue=self._issue_under(mapped, issue, sub_issue))

    def product(self, product: str, sub_product: str | None = None, issue: str | None = None) -> str:
        """Return the product of the taxonomy. If a product was divided, the sub-product or else the issue decides.

        Raises UnknownNameError.
        """
        _require("product", product, self.known_products)
        if not _is_absent(sub_product):
            _require("sub_product", sub_product, self.names.sub_products)
        fitting = (rule.to for rule in self.products if rule.fits(product, sub_product, issue))
        return next(fitting, None) or _spelled(product, self.known_products)

    def issue(self, product: str, sub_product: str | None, issue: str, sub_issue: str | None = None) -> str:
        """Return the issue of the taxonomy, under the product that `product` maps to. Raises UnknownNameError."""
        return self.label(product, sub_product=sub_product, issue=issue, sub_issue=sub_issue).issue

    def _issue_under(self, mapped: str, issue: str, sub_issue: str | None) -> str:
        known = tuple(self.known_issues(mapped))
        _require("issue", issue, known, under=mapped)
        if not _is_absent(sub_issue):
            _require("sub_issue", sub_issue, self.names.sub_issues)
        fitting = (rule.to for rule in self.issues if rule.fits(mapped, issue, sub_issue))
        return next(fitting, None) or _spelled(issue, known)

    @property
    def known_products(self) -> Names:
        older = (name for rule in self.products for name in rule.products)
        return tuple(dict.fromkeys((*(product.name for product in load_taxonomy().products), *older)))

    def known_issues(self, product: str) -> Iterator[str]:
        """Yield every name that maps to an issue of this product of the taxonomy. Raises UnknownProductError."""
        yield from load_taxonomy().issues_of(product)
        for rule in self.issues:
            if product in rule.conditions[0]:
                yield from rule.issues


@cache
def load_crosswalk() -> Crosswalk:
    """Load the crosswalk of this code."""
    rules = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return Crosswalk.model_validate(rules)


@cache
def _products_with(issue: str) -> Names:
    return tuple(product.name for product in load_taxonomy().products if issue in product.issues)


def _key(name: str | None) -> str:
    """Return a name without differences of case, spaces and apostrophes, which vary between exports."""
    return " ".join((name or "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split()).casefold()


def _is_absent(name: str | None) -> bool:
    return _key(name) in ABSENT


def _require(field: str, value: str | None, known: Names, *, under: str | None = None) -> None:
    if _key(value) not in map(_key, known):
        raise UnknownNameError(field, value or "", nearest=_nearest(value or "", known), under=under)


def _spelled(name: str, known: Names) -> str:
    """Return the name in the spelling of the taxonomy."""
    return next(other for other in known if _key(other) == _key(name))


def _nearest(value: str, known: Names) -> str:
    by_key = {_key(name): name for name in known}
    return by_key[get_close_matches(_key(value), by_key, n=1, cutoff=0.0)[0]]
