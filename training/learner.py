"""What learns: of a BERT the upper layers, over what the lower ones gave once, of any other encoder the whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification, PreTrainedModel

from training.classifiers import Trained, new_head, sibling_of
from training.encoding import Progress, collate, encode, indices, lower_part, tokenize
from training.losses import Losses, class_weights
from training.prepare import Prepared
from training.recipe import Recipe
from training.upper import UpperPart
from training.whole import WholeModel, collate_ids

Features = list[dict[str, Any]]

Collate = Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]

Learner = UpperPart | WholeModel


@dataclass(frozen=True)
class Learning:
    """What the Trainer needs; train, validation: what the learner reads of each example, from which `collate` makes
    batches."""

    learner: Learner
    train: Features
    validation: Features
    collate: Collate


def learning(trained: Trained, prepared: Prepared, recipe: Recipe, progress: Progress) -> Learning:
    """progress: of running the lower layers of a BERT once."""
    labels = {task: prepared.labels[task] for task in recipe.learnt}
    examples = (*prepared.train, *prepared.validation)
    tokens = tokenize(trained.tokenizer, examples, max_length=recipe.max_length)
    numbers = indices(examples, labels)
    losses = _losses(numbers[: len(prepared.train)], prepared, recipe)
    shared = next(iter(trained.models.values()))
    learner: Learner
    batch: Collate
    if isinstance(shared, BertForSequenceClassification):
        learner = _upper_part(shared, trained, prepared, recipe, losses)
        features, batch = _run_once(shared, recipe, tokens, numbers, progress), collate
    else:
        learner = _whole_model(trained, prepared, recipe, losses)
        features = [{"input_ids": ids, "labels": known} for ids, known in zip(tokens, numbers, strict=True)]
        batch = collate_ids(trained.tokenizer.pad_token_id)
    return Learning(learner, features[: len(prepared.train)], features[len(prepared.train) :], batch)


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


def _upper_part(
    shared: BertForSequenceClassification, trained: Trained, prepared: Prepared, recipe: Recipe, losses: Losses
) -> UpperPart:
    heads = {task: cast(nn.Linear, model.classifier) for task, model in trained.models.items()}
    heads |= {task: new_head(shared, len(prepared.labels[task])) for task in recipe.auxiliary}
    means = _with_auxiliary(trained.means, shared, prepared, recipe) if recipe.mean else None
    return UpperPart(shared, heads, recipe.frozen_layers, means=means, losses=losses)


def _whole_model(trained: Trained, prepared: Prepared, recipe: Recipe, losses: Losses) -> WholeModel:
    shared = next(iter(trained.models.values()))
    classifiers = {**trained.models, **{task: sibling_of(shared, prepared.labels[task]) for task in recipe.auxiliary}}
    means = _with_auxiliary(trained.means, shared, prepared, recipe) if recipe.mean else {}
    return WholeModel(classifiers, recipe.frozen_layers, means=means, losses=losses)


def _with_auxiliary(
    means: Mapping[str, nn.Linear], shared: PreTrainedModel, prepared: Prepared, recipe: Recipe
) -> dict[str, nn.Linear]:
    return {**means, **{task: new_head(shared, len(prepared.labels[task])) for task in recipe.auxiliary}}


def _run_once(
    shared: BertForSequenceClassification,
    recipe: Recipe,
    tokens: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    progress: Progress,
) -> Features:
    lower = lower_part(shared, recipe.frozen_layers)
    _move(lower, "cuda" if torch.cuda.is_available() else "cpu")
    features = encode(lower, tokens, labels, progress)
    _move(lower, "cpu")
    return features


def _move(module: nn.Module, device: str) -> None:
    module.to(device)
