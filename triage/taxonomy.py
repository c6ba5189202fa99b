"""The taxonomy: what a complaint can be about, and which team of the bank owns it.

Products and issues are those of CFPB's complaint form since 24 August 2023, as published in its database. Six issues
about credit reports occur under several products, so an issue is a label only together with its product. Issues that
mean nearly the same (`... didn't receive the money`, `... didn't receive money`) are kept, as the form has both.
"""

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from triage.contracts import Contract
from triage.errors import UnknownProductError
from triage.validation import Matching

Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Team = Annotated[str, Matching(r"^[a-z]+(-[a-z]+)*$", "a team: lower-case words joined by hyphens")]


class Product(Contract):
    """name: the label a model gives. team: who receives the complaint. issues: the labels that go with the product."""

    name: Name
    team: Team
    issues: tuple[Name, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _issues_are_distinct(self) -> Self:
        _refuse_repeats(f"issue of {self.name!r}", self.issues)
        return self


class Taxonomy(Contract):
    """version: the day on which the names came into force; models and allocations state which one they use."""

    version: Name
    products: tuple[Product, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_and_teams_are_distinct(self) -> Self:
        _refuse_repeats("product", tuple(product.name for product in self.products))
        _refuse_repeats("team", self.teams)
        return self

    @property
    def teams(self) -> tuple[str, ...]:
        return tuple(product.team for product in self.products)

    def product(self, name: str) -> Product:
        """Raises UnknownProductError, with the nearest name."""
        for product in self.products:
            if product.name == name:
                return product
        names = [product.name for product in self.products]
        near = get_close_matches(name, names, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"it lists: {'; '.join(names)}"
        raise UnknownProductError(f"taxonomy {self.version} has no product {name!r}; {advice}")

    def has_product(self, name: str) -> bool:
        return any(product.name == name for product in self.products)

    def team_of(self, name: str) -> str:
        """Raises UnknownProductError."""
        return self.product(name).team

    def issues_of(self, name: str) -> tuple[str, ...]:
        """Raises UnknownProductError."""
        return self.product(name).issues

    def has_issue(self, product: str, issue: str) -> bool:
        """Whether the issue is one of the product's; False for a product that the taxonomy does not list."""
        return any(known.name == product and issue in known.issues for known in self.products)


@cache
def load_taxonomy() -> Taxonomy:
    """Return the taxonomy that was released with this code."""
    return Taxonomy.model_validate_json(Path(__file__).with_name("taxonomy.json").read_text(encoding="utf-8"))


def _refuse_repeats(what: str, names: tuple[str, ...]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{what} listed twice: {', '.join(repeated)}")
