"""Prepares training data: complaints become examples with labels for the tasks, cleaned and redacted as in serving."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.generator import generate
from training.recipe import Recipe
from triage.contracts import TaskName
from triage.inference.reading import read_by_models
from triage.letter import spoken
from triage.tasks import VULNERABLE


@dataclass(frozen=True)
class Example:
    """One text. labels: by task, without the tasks whose label is not known. group: near-duplicates have the same one;
    None means that the text has none."""

    text: str
    labels: Mapping[TaskName, str]
    group: int | None = None


@dataclass(frozen=True)
class Prepared:
    """The data of one run.

    labels[task][i]: the name of logit `i`. fingerprint: sha256 of all examples with the part that each is in.
    source: sha256 of the whole export that they come from, None if they were generated.
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


@dataclass(frozen=True)
class TaskExamples:
    """Examples whose label a task knows, n of each: texts, places of the labels, numbers of near-duplicate groups."""

    texts: tuple[str, ...]
    truth: npt.NDArray[np.integer]
    groups: npt.NDArray[np.int64]


def task_examples(examples: Iterable[Example], task: str, labels: Sequence[str]) -> TaskExamples:
    """Return the examples whose label for the task is one of `labels`, in their order."""
    places = {label: place for place, label in enumerate(labels)}
    known = [example for example in examples if example.labels.get(task) in places]
    # An example without a group counts as a group of its own.
    names = [f"alone {row}" if each.group is None else f"group {each.group}" for row, each in enumerate(known)]
    return TaskExamples(
        texts=tuple(example.text for example in known),
        truth=np.array([places[example.labels[task]] for example in known]),
        groups=np.unique(names, return_inverse=True)[1].astype(np.int64),
    )


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
"""How each task gets its label from a complaint. A new task adds a line; the last two are only auxiliary."""


def _joined(*names: str | None) -> str:
    return ": ".join(name for name in names if name)


def prepare(
    recipe: Recipe,
    examples: Iterable[Example] | None = None,
    *,
    validation: Iterable[Example] | None = None,
    source: str | None = None,
) -> Prepared:
    """Clean, redact, deduplicate and split `examples`, by default the generated complaints that the recipe asks for.

    validation: the validation part, if it is already chosen; its groups must not occur in `examples`.

    Raises:
        ValueError: a task has no known labels or fewer than two to learn, or generated complaints should be split by
            time.
    """
    if examples is None and recipe.validate_on == "latest":
        raise ValueError(
            "generated complaints have no dates, so none are the latest: use --validate-on random, or give --data"
        )
    distinct = _distinct(generated_examples(recipe) if examples is None else examples)
    if validation is None:
        train, held = split(distinct, share=recipe.validation, seed=recipe.seed, tasks=tuple(recipe.tasks))
    else:
        train, held = tuple(distinct), _apart(_distinct(validation), known=distinct)
    labels = {task: _label_space(task, train) for task in recipe.learnt}
    return Prepared(labels, train, held, fingerprint=fingerprint(train, held), source=source)


def require_validated(prepared: Prepared, recipe: Recipe) -> None:
    """Refuse data before training that would make validation fail after it.

    Raises:
        ValueError: a task has no validation examples, or the label that it looks for is missing in a part.
    """
    for task, aim in recipe.tasks.items():
        known = [example.labels[task] for example in prepared.validation if task in example.labels]
        wanted, among = aim.positive_label, "none of the complaints to validate on"
        if not known:
            raise ValueError(f"{among} has a label for {task}: give more complaints, or change --validate-on")
        if wanted is not None and wanted not in prepared.labels[task]:
            names = ", ".join(prepared.labels[task])
            raise ValueError(
                f"{task} looks for {wanted!r}, but no complaint has that label, only {names}: give more complaints"
            )
        if wanted is not None and wanted not in known:
            raise ValueError(
                f"{among} is labelled {wanted!r}, which {task} looks for: give more complaints, or change --validate-on"
            )


def _label_space(task: TaskName, train: Iterable[Example]) -> tuple[str, ...]:
    labels = tuple(sorted({example.labels[task] for example in train if task in example.labels}))
    if len(labels) < 2:
        raise ValueError(f"a classifier of the {task} needs two labels, but the examples have {len(labels)}: give more")
    return labels


def generated_examples(recipe: Recipe) -> list[Example]:
    return examples_of(generate(recipe.examples, seed=recipe.seed), tasks=recipe.learnt)


def examples_of(
    complaints: Iterable[Labelled], *, tasks: Iterable[TaskName], groups: Iterable[int | None] | None = None
) -> list[Example]:
    """Return an example for each complaint. groups: the near-duplicate group of each complaint, in the same order."""
    if unknown := sorted(set(tasks) - set(LABELS)):
        raise ValueError(f"no label is known for the task {unknown[0]!r}: choose from {', '.join(LABELS)}")
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
    """Return the text as a model reads it in training and in serving: its newest message, cleaned, cut and redacted."""
    return read_by_models(spoken(narrative), redacted=True)


def _distinct(examples: Iterable[Example]) -> list[Example]:
    """Return each text once, because a text in both parts would make the figures too good."""
    read = (Example(as_served(example.text), example.labels, example.group) for example in examples)
    return list({example.text: example for example in read if example.text}.values())


def _apart(examples: Iterable[Example], *, known: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples whose text is not in `known`. Redaction can make texts of different groups equal."""
    texts = {example.text for example in known}
    return tuple(example for example in examples if example.text not in texts)


def split(
    examples: Sequence[Example], *, share: float, seed: int, tasks: Sequence[TaskName]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Split into train and validation by whole groups, with the same share of each combination of the tasks' labels.

    A combination that only one group has is in the training part.
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
    """Return the groups in an order that does not depend on the order of the examples."""
    groups: defaultdict[object, list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.text):
        groups[example.text if example.group is None else example.group].append(example)
    return list(groups.values())


def _rounded(number: float, chance: random.Random) -> int:
    """Round up or down at random, so that many small combinations of labels together keep their share."""
    whole = int(number)
    return whole + (chance.random() < number - whole)


def fingerprint(train: Iterable[Example], validation: Iterable[Example]) -> str:
    """Return the sha256 of every example in order, with the part that it is in."""
    digest = hashlib.sha256()
    for part, examples in (("train", train), ("validation", validation)):
        for example in examples:
            digest.update(json.dumps([part, example.labels, example.text], sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
