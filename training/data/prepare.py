"""Examples for training: complaints as models read them in serving, with labels by task, split and fingerprinted."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from training.generator import generate
from training.recipe import Recipe
from triage.contracts import TaskName
from triage.redaction import redact_text
from triage.tasks import VULNERABLE
from triage.text import clean


@dataclass(frozen=True)
class Example:
    """labels: by task, without tasks whose label is unknown. group: shared by near-duplicates; None has no others."""

    text: str
    labels: Mapping[TaskName, str]
    group: int | None = None


@dataclass(frozen=True)
class Prepared:
    """The data of one training run.

    labels[task][i]: the name of logit `i`. fingerprint: sha256 of all examples and the part that each is in.
    source: sha256 of the export; None for generated complaints.
    """

    labels: Mapping[TaskName, tuple[str, ...]]
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    fingerprint: str
    source: str | None = None

    def counts(self, task: TaskName) -> Mapping[str, int]:
        """Return how many training examples each label of a task has, in the order of the logits."""
        counted = Counter(example.labels[task] for example in self.train if task in example.labels)
        return {label: counted[label] for label in self.labels[task]}


class Labelled(Protocol):
    """A complaint whose labels are known."""

    @property
    def narrative(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def issue(self) -> str: ...
    @property
    def sub_product(self) -> str | None: ...
    @property
    def sub_issue(self) -> str | None: ...
    @property
    def vulnerable(self) -> bool | None: ...


LABELS: Mapping[TaskName, Callable[[Labelled], str | None]] = {
    "product": lambda complaint: complaint.product,
    "issue": lambda complaint: complaint.issue,
    "vulnerable": lambda complaint: VULNERABLE.label(complaint.vulnerable),
    "sub-product": lambda complaint: _joined(complaint.product, complaint.sub_product),
    "sub-issue": lambda complaint: _joined(complaint.product, complaint.issue, complaint.sub_issue),
}
"""How the label of each task is read off a complaint. The last two are auxiliary: models learn them and never serve."""


def _joined(*names: str | None) -> str:
    return ": ".join(name for name in names if name)


def prepare(
    recipe: Recipe,
    examples: Iterable[Example] | None = None,
    *,
    validation: Iterable[Example] | None = None,
    source: str | None = None,
) -> Prepared:
    """Clean, redact, deduplicate and split examples.

    examples: by default generated complaints, as many as the recipe states. validation: examples of other groups; where
    they are given, `examples` are not split.

    Raises:
        ValueError: a task is unknown, fewer than two labels of a task occur, or generated complaints should be split
            by time.
    """
    if examples is None and recipe.validate_on == "latest":
        raise ValueError("generated complaints have no dates: give real ones, or set validate_on to random")
    distinct = _distinct(generated_examples(recipe) if examples is None else examples)
    if validation is None:
        train, held = split(distinct, share=recipe.validation, seed=recipe.seed, tasks=tuple(recipe.tasks))
    else:
        train, held = tuple(distinct), _apart(_distinct(validation), known=distinct)
    labels = {task: _label_space(task, train) for task in recipe.learnt}
    return Prepared(labels, train, held, fingerprint=fingerprint(train, held), source=source)


def require_validated(prepared: Prepared, recipe: Recipe) -> None:
    """Check before training that every task can be validated.

    Raises:
        ValueError: no validation example has a label for a task, or the positive label is missing in one of the parts.
    """
    for task, aim in recipe.tasks.items():
        known = [example.labels[task] for example in prepared.validation if task in example.labels]
        wanted, among = aim.positive_label, "none of the complaints to validate on"
        if not known:
            raise ValueError(f"{among} has a label for {task}: give more, or validate on others")
        if wanted is not None and wanted not in prepared.labels[task]:
            names = ", ".join(prepared.labels[task])
            raise ValueError(f"{task} looks for {wanted!r}, and no complaint is labelled so, only: {names}")
        if wanted is not None and wanted not in known:
            raise ValueError(f"{among} is labelled {wanted!r}, the positive label of {task}: give more, or use others")


def _label_space(task: TaskName, train: Iterable[Example]) -> tuple[str, ...]:
    labels = tuple(sorted({example.labels[task] for example in train if task in example.labels}))
    if len(labels) < 2:
        raise ValueError(f"a model of the task {task} needs two labels, and the examples have {len(labels)}")
    return labels


def generated_examples(recipe: Recipe) -> list[Example]:
    return examples_of(generate(recipe.examples, seed=recipe.seed), tasks=recipe.learnt)


def examples_of(
    complaints: Iterable[Labelled], *, tasks: Iterable[TaskName], groups: Iterable[int | None] | None = None
) -> list[Example]:
    """groups: the near-duplicate group of each complaint, in the order of the complaints."""
    if unknown := sorted(set(tasks) - set(LABELS)):
        raise ValueError(f"no label is known for the task {unknown[0]!r}, only for {', '.join(LABELS)}")
    readers = {task: LABELS[task] for task in tasks}
    paired = zip(complaints, groups, strict=True) if groups is not None else ((each, None) for each in complaints)
    return [
        Example(
            text=complaint.narrative,
            labels={task: label for task, read in readers.items() if (label := read(complaint)) is not None},
            group=group,
        )
        for complaint, group in paired
    ]


def as_served(narrative: str) -> str:
    """Return the text that a model which was trained here reads, in training and in serving."""
    return redact_text(clean(narrative))


def _distinct(examples: Iterable[Example]) -> list[Example]:
    """Return each text once. On both sides of the split, a text would flatter the model."""
    read = (Example(as_served(example.text), example.labels, example.group) for example in examples)
    return list({example.text: example for example in read if example.text}.values())


def _apart(examples: Iterable[Example], *, known: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples whose redacted text is not among the known ones."""
    texts = {example.text for example in known}
    return tuple(example for example in examples if example.text not in texts)


def split(
    examples: Sequence[Example], *, share: float, seed: int, tasks: Sequence[TaskName]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Return training and validation examples, in whole groups.

    Each combination of the tasks' labels keeps its share. A combination that only one group has is trained on.
    """
    by_labels: defaultdict[str, list[list[Example]]] = defaultdict(list)
    for group in _groups(examples):
        by_labels[json.dumps([group[0].labels.get(task) for task in sorted(tasks)])].append(group)
    chance = random.Random(seed)
    train: list[Example] = []
    validation: list[Example] = []
    for labels in sorted(by_labels):
        groups = by_labels[labels]
        chance.shuffle(groups)
        held = min(_rounded(share * len(groups), chance), len(groups) - 1)
        validation += [example for group in groups[:held] for example in group]
        train += [example for group in groups[held:] for example in group]
    return tuple(train), tuple(validation)


def _groups(examples: Iterable[Example]) -> list[list[Example]]:
    """Return whole groups, in an order that does not depend on the order of the examples."""
    groups: defaultdict[object, list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.text):
        groups[example.text if example.group is None else example.group].append(example)
    return list(groups.values())


def _rounded(number: float, chance: random.Random) -> int:
    """Round up or down by chance, so that many small combinations of labels add up to their share."""
    whole = int(number)
    return whole + (chance.random() < number - whole)


def fingerprint(train: Iterable[Example], validation: Iterable[Example]) -> str:
    """Return the sha256 of every example in order, with the part that it is in."""
    digest = hashlib.sha256()
    for part, examples in (("train", train), ("validation", validation)):
        for example in examples:
            digest.update(json.dumps([part, example.labels, example.text], sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
