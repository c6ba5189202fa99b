"""The material of generated letters: phrases.toml as typed values, checked against the taxonomy."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from triage.taxonomy import Product, load_taxonomy

Sentences = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One issue of one product.

    weight: its frequency among the issues of the product. drifted: sentences about new scams, if there are any.
    """

    product: str
    issue: str
    weight: float
    sentences: Sentences
    drifted: Sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPhrases:
    """nouns: words for the product. context: sentences about owning it. share: of all complaints.

    drift_factor: by how much drift multiplies the share.
    """

    name: str
    nouns: Sentences
    context: Sentences
    matters: tuple[Matter, ...]
    share: float
    drift_factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstance:
    """What makes a writer vulnerable.

    driver: one of the four in the FCA's guidance FG21/1. cues: sentences that reveal it.
    tag: the tag of the complaint form for it, if the form has one.
    """

    driver: str
    kind: str
    weight: float
    cues: Sentences
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """letter: sentences by their part, such as `openers`. new_slots, new_anywhere: for letters about new scams."""

    products: Mapping[str, ProductPhrases]
    letter: Mapping[str, Sentences]
    vague: Sentences
    distractors: Sentences
    circumstances: tuple[Circumstance, ...]
    slots: Mapping[str, Sentences]
    new_slots: Mapping[str, Sentences]
    new_anywhere: Sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who writes.

    customer_id: None for a customer whom the bank could not identify. cues: sentences that reveal the vulnerability.
    driver: what makes the writer vulnerable, if anything.
    """

    customer_id: str | None
    tags: tuple[str, ...] = ()
    account_vulnerable: bool = False
    cues: tuple[str, ...] = ()
    driver: str | None = None

    @property
    def vulnerable(self) -> bool:
        return self.driver is not None


@cache
def load_phrases() -> Phrases:
    """Return what phrases.toml holds.

    Raises: KeyError with the name of an issue of the taxonomy that has no sentences.
    """
    data = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
    themes, drift = data["themes"], data["drift"]
    return Phrases(
        products={product.name: _product(product, data) for product in load_taxonomy().products},
        letter={part: tuple(sentences) for part, sentences in data["letter"].items()},
        vague=tuple(themes["vague"]),
        distractors=tuple(data["distractors"]["sentences"]),
        circumstances=tuple(Circumstance(**{**kind, "cues": tuple(kind["cues"])}) for kind in data["vulnerability"]),
        slots={slot: tuple(words) for slot, words in data["slots"].items()},
        new_slots={slot: tuple(words) for slot, words in drift["slots"].items()},
        new_anywhere=tuple(drift["letter"]["anywhere"]),
    )


def _product(product: Product, data: Mapping[str, Any]) -> ProductPhrases:
    own, drift = data["products"][product.name], data["drift"]
    weights = {**data["weights"]["everywhere"], **data["weights"]["products"].get(product.name, {})}
    sentences = {**data["common"], **own.get("issues", {})}
    drifted = drift["issues"].get(product.name, {})
    return ProductPhrases(
        name=product.name,
        nouns=tuple(own["nouns"]),
        context=tuple(own["context"]),
        matters=tuple(
            Matter(
                product=product.name,
                issue=issue,
                weight=weights.get(issue, 1.0),
                sentences=_with_themes(sentences[issue], data["themes"]),
                drifted=tuple(drifted.get(issue, ())),
            )
            for issue in product.issues
        ),
        share=data["mix"][product.name],
        drift_factor=drift["mix"].get(product.name, 1.0),
    )


def _with_themes(sentences: Iterable[str], themes: Mapping[str, list[str]]) -> Sentences:
    """Return the sentences, with those of a theme in the place of its `@theme`."""
    return tuple(
        sentence for entry in sentences for sentence in (themes[entry[1:]] if entry.startswith("@") else [entry])
    )
