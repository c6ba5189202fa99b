"""Fine-tuning: the encoder's lower layers are run once, the upper ones and the heads are trained on what they gave.

The results are plain `BertForSequenceClassification`s, one for each task, of one encoder; that its lower part was
frozen only made it quick.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging as transformers_logging

from training.encoding import Progress, collate, encode, indices, lower_part, mixes_precision, tokenize
from training.prepare import Prepared
from training.recipe import Recipe
from training.upper import UpperPart, class_weights

THREADS = 2
"""Of torch and of onnxruntime: what the smallest machine that trains has, and sums then come out the same anywhere."""

Features = list[dict[str, Any]]


@dataclass(frozen=True)
class Trained:
    """A model for each task; all of them share their encoder. means: the heads on the mean of all tokens, if any."""

    models: Mapping[str, BertForSequenceClassification]
    means: Mapping[str, nn.Linear]
    tokenizer: PreTrainedTokenizerBase

    def save(self, task: str, folder: Path) -> None:
        """Write config, safetensors and tokenizer, as `from_pretrained` reads them."""
        with quiet():
            self.models[task].save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def fine_tune(prepared: Prepared, recipe: Recipe, *, encoder: Path, checkpoints: Path, progress: Progress) -> Trained:
    """Train on `prepared.train`, keep the epoch with the smallest loss on `prepared.validation`.

    checkpoints: a folder for them; a run that was cut off goes on from the last one in it.

    Raises:
        ValueError: the encoder is no BERT, or the recipe freezes more layers than it has.
    """
    torch.set_num_threads(THREADS)
    transformers.set_seed(recipe.seed)
    with quiet():
        models = _classifiers(encoder, prepared, recipe)
        trained = Trained(models, _means(models, prepared, recipe), _tokenizer(encoder, recipe))
        train, validation = _features(trained, prepared, recipe, _part(progress, 0.0))
        upper = _upper_part(trained, prepared, recipe, train)
        trainer = _trainer(upper, train, validation, recipe, checkpoints, _part(progress, 0.5))
        trainer.train(resume_from_checkpoint=_last_of(checkpoints))
        upper.to("cpu")
    return trained


def _last_of(checkpoints: Path) -> str | None:
    last: str | None = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None  # type: ignore[no-untyped-call]
    return last


def _upper_part(trained: Trained, prepared: Prepared, recipe: Recipe, train: Features) -> UpperPart:
    shared = next(iter(trained.models.values()))
    heads = {task: model.classifier for task, model in trained.models.items()}
    heads |= {task: _head(shared, len(prepared.labels[task])) for task in recipe.auxiliary}
    weights = {
        task: class_weights(
            [row["labels"][column] for row in train],
            count=len(prepared.labels[task]),
            balance=recipe.tasks[task].balance if task in recipe.tasks else 0.0,
        )
        for column, task in enumerate(recipe.learnt)
    }
    means = {task: trained.means.get(task) or _head(shared, len(prepared.labels[task])) for task in heads}
    return UpperPart(
        shared,
        heads,
        recipe.frozen_layers,
        means=means if recipe.mean else None,
        class_weights=weights,
        label_smoothing=recipe.label_smoothing,
    )


def _part(progress: Progress, start: float) -> Progress:
    """Progress within one half of a step."""
    return lambda done: progress(start + done / 2)


def _features(trained: Trained, prepared: Prepared, recipe: Recipe, progress: Progress) -> tuple[Features, Features]:
    examples = (*prepared.train, *prepared.validation)
    lower = lower_part(next(iter(trained.models.values())), recipe.frozen_layers)
    _move(lower, "cuda" if torch.cuda.is_available() else "cpu")
    tokens = tokenize(trained.tokenizer, examples, max_length=recipe.max_length)
    labels = {task: prepared.labels[task] for task in recipe.learnt}
    features = encode(lower, tokens, indices(examples, labels), progress)
    _move(lower, "cpu")
    return features[: len(prepared.train)], features[len(prepared.train) :]


def _move(module: nn.Module, device: str) -> None:
    module.to(device)


def _classifiers(encoder: Path, prepared: Prepared, recipe: Recipe) -> dict[str, BertForSequenceClassification]:
    first, *others = recipe.tasks
    model = AutoModelForSequenceClassification.from_pretrained(encoder, **_names(prepared.labels[first]))
    if not isinstance(model, BertForSequenceClassification):
        raise ValueError(f"the encoder is a {model.config.model_type}, only BERT can be trained")
    if recipe.frozen_layers >= model.config.num_hidden_layers:
        raise ValueError(f"of {model.config.num_hidden_layers} layers, {recipe.frozen_layers} cannot be frozen")
    return {first: model, **{task: _sibling(model, prepared.labels[task]) for task in others}}


def _means(
    models: Mapping[str, BertForSequenceClassification], prepared: Prepared, recipe: Recipe
) -> dict[str, nn.Linear]:
    return {task: _head(model, len(prepared.labels[task])) for task, model in models.items()} if recipe.mean else {}


def _names(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "num_labels": len(labels),
    }


def _sibling(model: BertForSequenceClassification, labels: Sequence[str]) -> BertForSequenceClassification:
    """A classifier of other labels over the encoder of `model`."""
    config = type(model.config)(**{**model.config.to_dict(), **_names(labels)})
    with torch.device("meta"):
        sibling = BertForSequenceClassification(config)
    sibling.bert, sibling.dropout = model.bert, model.dropout
    sibling.classifier = _head(model, len(labels))
    return sibling


def _head(model: BertForSequenceClassification, labels: int) -> nn.Linear:
    head = nn.Linear(model.config.hidden_size, labels)
    nn.init.normal_(head.weight, std=model.config.initializer_range)
    nn.init.zeros_(head.bias)
    return head


def _tokenizer(encoder: Path, recipe: Recipe) -> PreTrainedTokenizerBase:
    """The encoder's, cutting at the recipe's length: `tokenizer.json` then does so wherever it is loaded."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(encoder, model_max_length=recipe.max_length)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.enable_truncation(max_length=recipe.max_length)
    return tokenizer


def _trainer(
    upper: UpperPart, train: Features, validation: Features, recipe: Recipe, checkpoints: Path, progress: Progress
) -> Trainer:
    trainer = Trainer(
        model=upper,
        args=_arguments(recipe, checkpoints),
        data_collator=collate,
        train_dataset=train,
        eval_dataset=validation,
        optimizers=(_optimizer(upper, recipe), None),
        callbacks=[EarlyStoppingCallback(recipe.patience), _Report(progress)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(recipe: Recipe, checkpoints: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=2 * recipe.batch_size,
        train_sampling_strategy="group_by_length",
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
        prediction_loss_only=True,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=not torch.cuda.is_available(),
        bf16=mixes_precision(),
        seed=recipe.seed,
    )


def _optimizer(upper: UpperPart, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with a rate of its own for the heads, which start from nothing."""
    layers = [*upper.layers.parameters(), *upper.last.parameters()]
    head = [*upper.pooler.parameters(), *upper.heads.parameters(), *upper.means.parameters()]
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
