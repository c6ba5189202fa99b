"""One classifier for each task over a shared encoder, as `transformers` loads, trains and saves them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from training.data.prepare import Prepared
from training.recipe import Recipe

MEAN_DROPOUT = 0.1
"""Dropout on the mean of all tokens in training, as strong as most architectures apply to the input of their heads."""


@dataclass(frozen=True)
class Trained:
    """A model for each task; all of them share one encoder. means: the heads on the mean of all tokens, if any."""

    models: Mapping[str, PreTrainedModel]
    means: Mapping[str, nn.Linear]
    tokenizer: PreTrainedTokenizerBase

    def save(self, task: str, folder: Path) -> None:
        """Write config, safetensors and tokenizer, as `from_pretrained` reads them."""
        with quiet():
            self.models[task].save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def load(encoder: Path, prepared: Prepared, recipe: Recipe) -> Trained:
    """Return the classifiers before training: the encoder from its folder, the heads with random weights.

    Raises:
        ValueError: the recipe freezes more layers or reads more tokens than the encoder has, or the encoder has no
            fast tokenizer.
    """
    first, *others = recipe.tasks
    model = AutoModelForSequenceClassification.from_pretrained(encoder, **_label_settings(prepared.labels[first]))
    if recipe.frozen_layers > (layers := model.config.num_hidden_layers):
        raise ValueError(
            f"frozen_layers is {recipe.frozen_layers}, but the encoder has {layers} layers: set it to {layers} or less"
        )
    positions = _positions(model)
    if positions is not None and recipe.max_length > positions:
        raise ValueError(
            f"max_length is {recipe.max_length}, but the encoder has positions for {positions} tokens: set it to "
            f"{positions} or less"
        )
    models = {first: model, **{task: sibling_of(model, prepared.labels[task]) for task in others}}
    means = {task: new_head(each, len(prepared.labels[task])) for task, each in models.items()} if recipe.mean else {}
    return Trained(models, means, _tokenizer(encoder, recipe))


def _positions(model: PreTrainedModel) -> int | None:
    """Return the number of tokens that the encoder can read, or None if it has no limit."""
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    if isinstance(table, nn.Embedding):
        # Some architectures begin to count after the position of the padding token.
        return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return cast("int | None", getattr(model.config, "max_position_embeddings", None))


def _label_settings(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "num_labels": len(labels),
    }


def sibling_of(model: PreTrainedModel, labels: Sequence[str]) -> PreTrainedModel:
    """Return a classifier of other labels that shares the encoder of `model`."""
    other = type(model)(type(model.config)(**{**model.config.to_dict(), **_label_settings(labels)}))
    setattr(other, model.base_model_prefix, model.base_model)
    return other


def new_head(model: PreTrainedModel, labels: int) -> nn.Linear:
    head = nn.Linear(model.config.hidden_size, labels)
    nn.init.normal_(head.weight, std=model.config.initializer_range)
    nn.init.zeros_(head.bias)
    return head


def _tokenizer(encoder: Path, recipe: Recipe) -> PreTrainedTokenizerBase:
    """Return the encoder's tokenizer, set to cut at the recipe's length; `tokenizer.json` keeps that setting."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(encoder, model_max_length=recipe.max_length)
    if not tokenizer.is_fast:
        raise ValueError(
            "the encoder has no tokenizer.json, without which words cannot be located in a text: choose another encoder"
        )
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.enable_truncation(max_length=recipe.max_length)
    return tokenizer


class Heads(nn.Module):
    """Runs the shared encoder once and applies the head of every classifier to its output.

    means: for each classifier, a head on the mean of all tokens; its logits are added to those of the classifier.
    """

    def __init__(self, classifiers: Mapping[str, PreTrainedModel], means: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        self.encoder = cast(PreTrainedModel, next(iter(classifiers.values())).base_model)
        # Without their encoder, which a checkpoint would otherwise hold once for each classifier.
        self.heads = nn.ModuleDict({task: _with_encoder(_Constant(None), each) for task, each in classifiers.items()})
        self.means = nn.ModuleDict(means)
        self.dropout = nn.Dropout(MEAN_DROPOUT)

    @property
    def pooler(self) -> nn.Module | None:
        """The encoder's pooling layer, which only classifiers use; None if it has none. It learns like the heads."""
        return cast("nn.Module | None", getattr(self.encoder, "pooler", None))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each classifier, shape (n, labels), for inputs of shape (n, tokens)."""
        states = _Constant(self.encoder(input_ids=input_ids, attention_mask=attention_mask))
        logits = [_with_encoder(states, head)(input_ids, attention_mask).logits for head in self.heads.values()]
        if self.means:
            mean = self.dropout(mean_of(states.outputs.last_hidden_state, attention_mask))
            logits = [scores + self.means[task](mean) for task, scores in zip(self.heads, logits, strict=True)]
        return tuple(logits)


class _Constant(nn.Module):
    """Takes the place of an encoder in a classifier and returns outputs that were computed before."""

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, *_inputs: Any, **_options: Any) -> Any:
        return self.outputs


def _with_encoder(encoder: nn.Module, classifier: Any) -> Any:
    """Return a copy of the classifier with another encoder; all other parameters are shared."""
    other = copy(classifier)
    other._modules = {**classifier._modules, classifier.base_model_prefix: encoder}
    return other


def mean_of(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the tokens: (n, tokens, size) and (n, tokens) become (n, size)."""
    counted = mask[..., None].to(hidden.dtype)
    return (hidden * counted).sum(dim=1) / counted.sum(dim=1)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars of transformers and its warning that a head has random weights."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
