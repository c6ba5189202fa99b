"""The classifiers of all tasks over one encoder, as `transformers` loads, trains and saves them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from training.data.prepare import Prepared
from training.recipe import Recipe


@dataclass(frozen=True)
class Trained:
    """A model for each task; all of them share their encoder. means: the heads on the mean of all tokens, if any."""

    models: Mapping[str, PreTrainedModel]
    means: Mapping[str, nn.Linear]
    tokenizer: PreTrainedTokenizerBase

    def save(self, task: str, folder: Path) -> None:
        """Write config, safetensors and tokenizer, as `from_pretrained` reads them."""
        with quiet():
            self.models[task].save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def load(encoder: Path, prepared: Prepared, recipe: Recipe) -> Trained:
    """The classifiers as they are before training: the encoder as it is in the folder, the heads new.

    Raises:
        ValueError: the recipe freezes more layers than the encoder has, reads more tokens than it can, or there is no
            tokenizer that tells places.
    """
    models = _classifiers(encoder, prepared, recipe)
    return Trained(models, _means(models, prepared, recipe), _tokenizer(encoder, recipe))


def _classifiers(encoder: Path, prepared: Prepared, recipe: Recipe) -> dict[str, PreTrainedModel]:
    first, *others = recipe.tasks
    model = AutoModelForSequenceClassification.from_pretrained(encoder, **_names(prepared.labels[first]))
    if recipe.frozen_layers > model.config.num_hidden_layers:
        raise ValueError(f"of {model.config.num_hidden_layers} layers, {recipe.frozen_layers} cannot be frozen")
    places = _places(model)
    if places is not None and recipe.max_length > places:
        raise ValueError(f"the encoder has places for {places} tokens, the recipe reads {recipe.max_length}")
    return {first: model, **{task: sibling_of(model, prepared.labels[task]) for task in others}}


def _places(model: PreTrainedModel) -> int | None:
    """Tokens that the encoder has positions for, None if any number; some count them from behind that of padding."""
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    if isinstance(table, nn.Embedding):
        return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return cast("int | None", getattr(model.config, "max_position_embeddings", None))


def _means(models: Mapping[str, PreTrainedModel], prepared: Prepared, recipe: Recipe) -> dict[str, nn.Linear]:
    return {task: new_head(model, len(prepared.labels[task])) for task, model in models.items()} if recipe.mean else {}


def _names(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "num_labels": len(labels),
    }


def sibling_of(model: PreTrainedModel, labels: Sequence[str]) -> PreTrainedModel:
    """A classifier of other labels over the encoder of `model`."""
    other = type(model)(type(model.config)(**{**model.config.to_dict(), **_names(labels)}))
    setattr(other, model.base_model_prefix, model.base_model)
    return other


def new_head(model: PreTrainedModel, labels: int) -> nn.Linear:
    head = nn.Linear(model.config.hidden_size, labels)
    nn.init.normal_(head.weight, std=model.config.initializer_range)
    nn.init.zeros_(head.bias)
    return head


def _tokenizer(encoder: Path, recipe: Recipe) -> PreTrainedTokenizerBase:
    """The encoder's, cutting at the recipe's length: `tokenizer.json` then does so wherever it is loaded."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(encoder, model_max_length=recipe.max_length)
    if not tokenizer.is_fast:
        raise ValueError("the encoder's tokenizer does not tell places in a text: it needs a tokenizer.json")
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.enable_truncation(max_length=recipe.max_length)
    return tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers without progress bars and without its report on the head that is to be trained."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
