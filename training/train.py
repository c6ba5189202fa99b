"""Fine-tuning: the encoder's lower layers are run once, the upper ones and the head are trained on what they gave.

The result is a plain `BertForSequenceClassification`; that its lower part was frozen only made it quick.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    BertModel,
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.models.bert.modeling_bert import BertLayer, BertPooler
from transformers.utils import logging as transformers_logging

from training.prepare import Example, Prepared
from training.recipe import Recipe

THREADS = 2
"""Of torch and of onnxruntime: what the smallest machine that trains has, and sums then come out the same anywhere."""

ENCODING_BATCH = 32

Progress = Callable[[float], None]
"""Told the share of a step that is done, 0 to 1."""


@dataclass(frozen=True)
class Trained:
    model: BertForSequenceClassification
    tokenizer: PreTrainedTokenizerBase

    def save(self, folder: Path) -> None:
        """Write config, safetensors and tokenizer, as `from_pretrained` reads them."""
        with quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def fine_tune(prepared: Prepared, recipe: Recipe, *, encoder: Path, workspace: Path, progress: Progress) -> Trained:
    """Train on `prepared.train`, keep the epoch with the smallest loss on `prepared.validation`.

    workspace: an empty folder for checkpoints, to be deleted afterwards.

    Raises:
        ValueError: the encoder is no BERT, or the recipe freezes more layers than it has.
    """
    torch.set_num_threads(THREADS)
    transformers.set_seed(recipe.seed)
    with quiet():
        trained = Trained(model=_classifier(encoder, prepared.labels, recipe), tokenizer=_tokenizer(encoder, recipe))
        lower = lower_part(trained.model, recipe.frozen_layers)
        examples = (*prepared.train, *prepared.validation)
        features = encode(lower, trained.tokenizer, examples, prepared.labels, _part(progress, 0.0))
        train, validation = features[: len(prepared.train)], features[len(prepared.train) :]
        weights = class_weights([row["labels"] for row in train], count=len(prepared.labels), balance=recipe.balance)
        upper = UpperPart(trained.model, recipe.frozen_layers, weights)
        _trainer(upper, train, validation, recipe, workspace, _part(progress, 0.5)).train()
    return trained


def _part(progress: Progress, start: float) -> Progress:
    """Progress within one half of a step."""
    return lambda done: progress(start + done / 2)


def _classifier(encoder: Path, labels: Sequence[str], recipe: Recipe) -> BertForSequenceClassification:
    model = AutoModelForSequenceClassification.from_pretrained(
        encoder,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        num_labels=len(labels),
    )
    if not isinstance(model, BertForSequenceClassification):
        raise ValueError(f"the encoder is a {model.config.model_type}, only BERT can be trained")
    if recipe.frozen_layers >= model.config.num_hidden_layers:
        raise ValueError(f"of {model.config.num_hidden_layers} layers, {recipe.frozen_layers} cannot be frozen")
    return model


def _tokenizer(encoder: Path, recipe: Recipe) -> PreTrainedTokenizerBase:
    """The encoder's, cutting at the recipe's length: `tokenizer.json` then does so wherever it is loaded."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(encoder, model_max_length=recipe.max_length)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.enable_truncation(max_length=recipe.max_length)
    return tokenizer


def lower_part(model: BertForSequenceClassification, frozen: int) -> BertModel:
    """Embeddings and the lowest layers, over the parameters of `model`."""
    with torch.device("meta"):
        lower = BertModel(model.config, add_pooling_layer=False)
    lower.embeddings = model.bert.embeddings
    lower.encoder.layer = model.bert.encoder.layer[:frozen]
    lower.train(False)
    return lower


class UpperPart(nn.Module):
    """The layers that learn and the head, over the parameters of `model`.

    The head reads the first token alone, so the last layer computes no other: a sixth of its work, the same logits.
    """

    def __init__(self, model: BertForSequenceClassification, frozen: int, class_weights: Tensor) -> None:
        super().__init__()
        *layers, last = model.bert.encoder.layer[frozen:]
        self.layers, self.last = nn.ModuleList(layers), cast(BertLayer, last)
        self.pooler, self.dropout, self.classifier = (
            cast(BertPooler, model.bert.pooler),
            model.dropout,
            model.classifier,
        )
        self.class_weights = class_weights

    def forward(self, hidden: Tensor, mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """hidden: (n, tokens, size) from the lower part; mask: (n, tokens), whether it is a token; labels: (n,)."""
        attended = mask[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, attended)
        logits = self.classifier(self.dropout(self.pooler(self._first_token(hidden, attended))))
        return {"loss": nn.functional.cross_entropy(logits, labels, weight=self.class_weights), "logits": logits}

    def _first_token(self, hidden: Tensor, attended: Tensor) -> Tensor:
        attention, first = self.last.attention.self, hidden[:, :1]
        queries, keys, values = (
            states.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)
            for states in (attention.query(first), attention.key(hidden), attention.value(hidden))
        )
        context = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=attended, dropout_p=attention.dropout.p if self.training else 0.0
        )
        first = self.last.attention.output(context.transpose(1, 2).flatten(2), first)
        result: Tensor = self.last.output(self.last.intermediate(first), first)
        return result


@torch.inference_mode()
def encode(
    lower: BertModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    labels: Sequence[str],
    progress: Progress,
) -> list[dict[str, Any]]:
    """What the Trainer reads of each example: `input_ids` (tokens,), `hidden` (tokens, size), `labels`."""
    tokens = tokenizer([example.text for example in examples], truncation=True)["input_ids"]
    order = np.argsort([-len(ids) for ids in tokens], kind="stable")
    features: list[dict[str, Any]] = [{} for _ in examples]
    for start in range(0, len(order), ENCODING_BATCH):
        batch = order[start : start + ENCODING_BATCH]
        padded = tokenizer.pad({"input_ids": [tokens[index] for index in batch]}, return_tensors="pt")
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_amx()):
            hidden = lower(**padded).last_hidden_state
        for row, index in enumerate(batch):
            features[index] = {
                "input_ids": tokens[index],
                # Half precision halves the memory; these are outputs of a layer norm, far from its limits.
                "hidden": hidden[row, : len(tokens[index])].half(),
                "labels": labels.index(examples[index].label),
            }
        progress(min(1.0, (start + ENCODING_BATCH) / len(order)))
    return features


def collate(features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """A batch, padded to its longest text."""
    hidden = [feature["hidden"].float() for feature in features]
    mask = [torch.ones(len(states), dtype=torch.bool) for states in hidden]
    return {
        "hidden": nn.utils.rnn.pad_sequence(hidden, batch_first=True),
        "mask": nn.utils.rnn.pad_sequence(mask, batch_first=True),
        "labels": torch.tensor([feature["labels"] for feature in features]),
    }


def has_amx() -> bool:
    """Whether bfloat16 is faster than float32 here: with AMX it is, with AVX alone it is several times slower."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def class_weights(labels: Sequence[int], *, count: int, balance: float) -> Tensor:
    """`frequency ** -balance`, scaled so that the mean over the examples is 1. Shape (count,)."""
    frequency = torch.bincount(torch.tensor(labels), minlength=count).clamp(min=1).float()
    weights = frequency**-balance
    return weights * frequency.sum() / (weights * frequency).sum()


def _trainer(
    upper: UpperPart,
    train: list[dict[str, Any]],
    validation: list[dict[str, Any]],
    recipe: Recipe,
    workspace: Path,
    progress: Progress,
) -> Trainer:
    trainer = Trainer(
        model=upper,
        args=_arguments(recipe, workspace),
        data_collator=collate,
        train_dataset=train,
        eval_dataset=validation,
        optimizers=(_optimizer(upper, recipe), None),
        callbacks=[EarlyStoppingCallback(recipe.patience), _Report(progress)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(recipe: Recipe, workspace: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(workspace),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=2 * recipe.batch_size,
        train_sampling_strategy="group_by_length",
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=True,
        bf16=has_amx(),
        seed=recipe.seed,
    )


def _optimizer(upper: UpperPart, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with a rate of its own for the head, which starts from nothing."""
    layers = [*upper.layers.parameters(), *upper.last.parameters()]
    head = [*upper.pooler.parameters(), *upper.classifier.parameters()]
    groups = [{"params": layers, "lr": recipe.learning_rate}, {"params": head, "lr": recipe.head_learning_rate}]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


class _Report(TrainerCallback):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_others: Any
    ) -> None:
        self.progress(state.global_step / state.max_steps)


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
