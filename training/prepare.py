"""Examples: complaints with the label that one task wants, cleaned as in serving, split and fingerprinted."""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from training.generator import generate
from training.recipe import Recipe
from triage.text import clean

VULNERABLE = {True: "vulnerable", False: "not vulnerable"}


@dataclass(frozen=True)
class Example:
    text: str
    label: str


@dataclass(frozen=True)
class Prepared:
    """What one run reads. `labels[i]` is the name of logit `i`; `fingerprint` is the sha256 of all of it."""

    labels: tuple[str, ...]
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    fingerprint: str


class Labelled(Protocol):
    """A complaint whose labels are known."""

    @property
    def narrative(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def issue(self) -> str: ...
    @property
    def vulnerable(self) -> bool: ...


LABELS: dict[str, Callable[[Labelled], str]] = {
    "product": lambda complaint: complaint.product,
    "issue": lambda complaint: complaint.issue,
    "vulnerable": lambda complaint: VULNERABLE[complaint.vulnerable],
}
"""How each task reads its label off a complaint. A further task adds its line."""


def prepare(recipe: Recipe, examples: Iterable[Example] | None = None) -> Prepared:
    """Clean, deduplicate and split `examples`, by default the generated complaints that the recipe asks for.

    Raises:
        ValueError: nothing is known of the task's labels, or fewer than two labels are left to learn.
    """
    distinct = _distinct(generated_examples(recipe) if examples is None else examples)
    train, validation = split(distinct, share=recipe.validation, seed=recipe.seed)
    labels = tuple(sorted({example.label for example in train}))
    if len(labels) < 2:
        raise ValueError(f"a classifier needs two labels, the examples have {len(labels)}")
    return Prepared(labels=labels, train=train, validation=validation, fingerprint=fingerprint(train, validation))


def generated_examples(recipe: Recipe) -> list[Example]:
    return examples_of(generate(recipe.examples, seed=recipe.seed), task=recipe.task)


def examples_of(complaints: Iterable[Labelled], *, task: str) -> list[Example]:
    if task not in LABELS:
        raise ValueError(f"no label is known for the task {task!r}, only for {', '.join(LABELS)}")
    return [Example(text=complaint.narrative, label=LABELS[task](complaint)) for complaint in complaints]


def _distinct(examples: Iterable[Example]) -> list[Example]:
    """Cleaned, and each text once: a text on both sides of the split would flatter the model."""
    cleaned = (Example(text=clean(example.text), label=example.label) for example in examples)
    by_text = {example.text: example for example in cleaned if example.text}
    return list(by_text.values())


def split(examples: Sequence[Example], *, share: float, seed: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Train and validation, label by label, so that a label keeps its share; a label seen once is trained on."""
    by_label: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_label[example.label].append(example)
    chance = random.Random(seed)
    train: list[Example] = []
    validation: list[Example] = []
    for label in sorted(by_label):
        group = sorted(by_label[label], key=lambda example: example.text)
        chance.shuffle(group)
        held = min(round(share * len(group)), len(group) - 1)
        validation += group[:held]
        train += group[held:]
    return tuple(train), tuple(validation)


def fingerprint(train: Iterable[Example], validation: Iterable[Example]) -> str:
    """sha256 over every example in order, with the part it is in."""
    digest = hashlib.sha256()
    for part, examples in (("train", train), ("validation", validation)):
        for example in examples:
            digest.update(json.dumps([part, example.label, example.text]).encode() + b"\n")
    return digest.hexdigest()
