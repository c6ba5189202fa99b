"""What learns: the upper layers of an encoder and the heads of all tasks, over what the lower layers gave once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from training.data.prepare import Prepared
from training.model.classifiers import Trained, new_head, sibling_of
from training.model.encoding import Progress, indices, tokenize
from training.model.frozen_layers import CollateIds, LowerLayers
from training.model.heads import Heads
from training.model.losses import Learnt, Losses, class_weights
from training.recipe import Recipe

Features = list[dict[str, Any]]

Collate = Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]


class Learner(nn.Module):
    """The classifiers of all tasks over one encoder."""

    def __init__(self, heads: Heads, lower: LowerLayers, losses: Losses) -> None:
        super().__init__()
        self.heads, self.lower, self.losses = heads, lower, losses

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor, hidden: Tensor | None = None
    ) -> Learnt:
        """input_ids, attention_mask: (n, tokens); labels: (n, tasks); hidden: (n, tokens, size), what the lower layers
        gave, which are run where it is left out."""
        with self.lower.giving(hidden):
            return cast(Learnt, self.losses(self.heads(input_ids, attention_mask), labels))

    def learning(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Parameters of the encoder's layers, which know already, and of what starts from nothing."""
        starting = [
            parameter
            for part in (self.heads.pooler, self.heads.heads, self.heads.means)
            for parameter in (() if part is None else part.parameters())
        ]
        new = {id(parameter) for parameter in starting}
        encoder = [each for each in self.heads.encoder.parameters() if each.requires_grad and id(each) not in new]
        return encoder, starting


@dataclass(frozen=True)
class Learning:
    """What the Trainer needs; train, validation: what the learner reads of each example, from which `collate` makes
    batches."""

    learner: Learner
    train: Features
    validation: Features
    collate: Collate


def learning(trained: Trained, prepared: Prepared, recipe: Recipe, progress: Progress) -> Learning:
    """progress: of running the lower layers."""
    labels = {task: prepared.labels[task] for task in recipe.learnt}
    examples = (*prepared.train, *prepared.validation)
    tokens = tokenize(trained.tokenizer, examples, max_length=recipe.max_length)
    numbers = indices(examples, labels)
    heads = _heads(trained, prepared, recipe)
    lower = LowerLayers(heads.encoder, recipe.frozen_layers)
    learner = Learner(heads, lower, _losses(numbers[: len(prepared.train)], prepared, recipe))
    pad = padding_with(trained.tokenizer.pad_token_id)
    features = [
        {"input_ids": ids, "hidden": hidden, "labels": known}
        for ids, hidden, known in zip(tokens, lower.run_once(tokens, pad, progress), numbers, strict=True)
    ]
    return Learning(learner, features[: len(prepared.train)], features[len(prepared.train) :], collating(pad))


def _losses(labels: Sequence[Sequence[int]], prepared: Prepared, recipe: Recipe) -> Losses:
    weights = {
        task: class_weights(
            [row[column] for row in labels],
            count=len(prepared.labels[task]),
            balance=recipe.tasks[task].balance if task in recipe.tasks else 0.0,
        )
        for column, task in enumerate(recipe.learnt)
    }
    return Losses(weights, label_smoothing=recipe.label_smoothing)


def _heads(trained: Trained, prepared: Prepared, recipe: Recipe) -> Heads:
    shared = next(iter(trained.models.values()))
    classifiers = {**trained.models, **{task: sibling_of(shared, prepared.labels[task]) for task in recipe.auxiliary}}
    return Heads(classifiers, _with_auxiliary(trained.means, shared, prepared, recipe) if recipe.mean else {})


def _with_auxiliary(
    means: Mapping[str, nn.Linear], shared: PreTrainedModel, prepared: Prepared, recipe: Recipe
) -> dict[str, nn.Linear]:
    return {**means, **{task: new_head(shared, len(prepared.labels[task])) for task in recipe.auxiliary}}


def padding_with(token: int) -> CollateIds:
    """Pads texts to the longest of them; some architectures count positions by what is no padding."""

    def collate_ids(texts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        ids = [torch.tensor(text) for text in texts]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=token),
            "attention_mask": pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
        }

    return collate_ids


def collating(pad: CollateIds) -> Collate:
    """Makes batches."""

    def collate(features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        batch = pad([feature["input_ids"] for feature in features])
        batch["labels"] = torch.tensor([feature["labels"] for feature in features])
        given = [feature["hidden"] for feature in features]
        if given[0] is not None:
            batch["hidden"] = pad_sequence([hidden.float() for hidden in given], batch_first=True)
        return batch

    return collate
