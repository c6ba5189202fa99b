"""Fine-tuning of one encoder for all tasks of a recipe.

The frozen layers are run once. The layers above them and the heads learn from that stored output, and the results are
plain classifiers of `transformers`, one for each task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from training.data.prepare import Prepared
from training.model.classifiers import Heads, Trained, load, new_head, quiet, sibling_of
from training.model.frozen_layers import LowerLayers, Progress, mixes_precision, padded
from training.recipe import Recipe

THREADS = 2
"""Threads of torch: as many as the smallest machine that trains has, so that sums are the same on every machine."""

UNKNOWN = -100
"""The label number of an example without a label for a task; cross entropy ignores it."""

Features = list[dict[str, Any]]
Outputs = dict[str, Tensor | tuple[Tensor, ...]]
"""What the Trainer reads: `loss`, a scalar, and `logits`, of shape (n, labels) for each task."""


def fine_tune(prepared: Prepared, recipe: Recipe, *, encoder: Path, checkpoints: Path, progress: Progress) -> Trained:
    """Train on `prepared.train` and keep the epoch with the smallest loss on `prepared.validation`.

    checkpoints: their folder; an interrupted run continues from the last one in it.

    Raises:
        ValueError: the recipe does not fit the encoder, see `training.model.classifiers.load`.
    """
    torch.set_num_threads(THREADS)
    transformers.set_seed(recipe.seed)
    with quiet():
        trained = load(encoder, prepared, recipe)
        material = learning(trained, prepared, recipe, lambda done: progress(done / 2))
        trainer = Trainer(
            model=material.learner,
            args=_arguments(recipe, checkpoints),
            data_collator=material.collate,
            train_dataset=material.train,
            eval_dataset=material.validation,
            optimizers=(_optimizer(material.learner, recipe), None),
            callbacks=[EarlyStoppingCallback(recipe.patience), _Report(lambda done: progress(0.5 + done / 2))],
        )
        trainer.remove_callback(PrinterCallback)
        last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None  # type: ignore[no-untyped-call]
        trainer.train(resume_from_checkpoint=last)
        material.learner.to("cpu")
    return trained


class Losses(nn.Module):
    """The loss of all tasks together. class_weights: of each task, shape (labels,), in the order of the logits."""

    def __init__(self, class_weights: Mapping[str, Tensor], *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.tasks, self.label_smoothing = tuple(class_weights), label_smoothing
        for task, weights in class_weights.items():
            self.register_buffer(f"weights_of_{task}", weights, persistent=False)

    def forward(self, logits: tuple[Tensor, ...], labels: Tensor) -> Outputs:
        """Sum over the tasks the mean loss of the examples with a known label.

        logits: (n, labels) for each task; labels: (n, tasks).
        """
        losses = [
            self._loss(task, scores, labels[:, column])
            for column, (task, scores) in enumerate(zip(self.tasks, logits, strict=True))
        ]
        return {"loss": torch.stack(losses).sum(), "logits": logits}

    def _loss(self, task: str, logits: Tensor, labels: Tensor) -> Tensor:
        if bool((labels == UNKNOWN).all()):
            return logits.sum() * 0.0
        weights = cast(Tensor, getattr(self, f"weights_of_{task}"))
        return nn.functional.cross_entropy(
            logits, labels, weight=weights, ignore_index=UNKNOWN, label_smoothing=self.label_smoothing
        )


class Learner(nn.Module):
    """The module that the Trainer trains: encoder and heads of all tasks, with their loss."""

    def __init__(self, heads: Heads, lower: LowerLayers, losses: Losses) -> None:
        super().__init__()
        self.heads, self.lower, self.losses = heads, lower, losses

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor, hidden: Tensor | None = None
    ) -> Outputs:
        """input_ids, attention_mask: (n, tokens); labels: (n, tasks); hidden: (n, tokens, size), the stored output of
        the frozen layers, which are run if it is None."""
        with self.lower.replaced_by(hidden):
            return cast(Outputs, self.losses(self.heads(input_ids, attention_mask), labels))

    def learning(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters that learn: those of the encoder's layers, and those of pooling layer and heads."""
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
    """Arguments of the Trainer. train, validation: the inputs of each example, from which `collate` makes batches."""

    learner: Learner
    train: Features
    validation: Features
    padding: int

    def collate(self, features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        batch = padded([feature["input_ids"] for feature in features], padding=self.padding)
        batch["labels"] = torch.tensor([feature["labels"] for feature in features])
        stored = [feature["hidden"] for feature in features]
        if stored[0] is not None:
            batch["hidden"] = pad_sequence([hidden.float() for hidden in stored], batch_first=True)
        return batch


def learning(trained: Trained, prepared: Prepared, recipe: Recipe, progress: Progress) -> Learning:
    """Tokenise the examples and run the frozen layers on them. progress: of the frozen layers."""
    examples = (*prepared.train, *prepared.validation)
    tokenizer = trained.tokenizer.backend_tokenizer
    tokenizer.no_truncation()
    whole = tokenizer.encode_batch([example.text for example in examples])
    tokenizer.enable_truncation(max_length=recipe.max_length)
    tokens = [window(encoding.ids, recipe.max_length) for encoding in whole]
    numbers = {task: {label: number for number, label in enumerate(prepared.labels[task])} for task in recipe.learnt}
    labels = [
        [known.get(example.labels.get(task, ""), UNKNOWN) for task, known in numbers.items()] for example in examples
    ]
    shared = next(iter(trained.models.values()))
    auxiliary = {task: sibling_of(shared, prepared.labels[task]) for task in recipe.auxiliary}
    auxiliary_means = {task: new_head(shared, len(prepared.labels[task])) for task in recipe.auxiliary if recipe.mean}
    heads = Heads({**trained.models, **auxiliary}, {**trained.means, **auxiliary_means})
    lower = LowerLayers(heads.encoder, recipe.frozen_layers)
    learnt = len(prepared.train)
    weights = {
        task: class_weights(
            [row[column] for row in labels[:learnt]],
            count=len(prepared.labels[task]),
            balance=recipe.tasks[task].balance if task in recipe.tasks else 0.0,
        )
        for column, task in enumerate(recipe.learnt)
    }
    learner = Learner(heads, lower, Losses(weights, label_smoothing=recipe.label_smoothing))
    padding = trained.tokenizer.pad_token_id
    stored = lower.run_once(tokens, padding=padding, progress=progress)
    features = [
        {"input_ids": ids, "hidden": hidden, "labels": known}
        for ids, hidden, known in zip(tokens, stored, labels, strict=True)
    ]
    return Learning(learner, features[:learnt], features[learnt:], padding)


def window(tokens: Sequence[int], length: int) -> Sequence[int]:
    """Return the tokens that the encoder reads: of a longer text the first two thirds of `length`, and its end.

    The end of a complaint often says what the customer wants.

    >>> window([1, 2, 3, 4, 5, 6, 7, 8], 6)
    [1, 2, 3, 4, 7, 8]
    """
    head = head_of(length)
    return list(tokens) if len(tokens) <= length else [*tokens[:head], *tokens[-(length - head) :]]


def head_of(length: int) -> int:
    """Return how many tokens of a window are from the beginning of the text."""
    return length - length // 3


def class_weights(labels: Sequence[int], *, count: int, balance: float) -> Tensor:
    """Return `frequency ** -balance`, scaled so that the mean over the examples is 1. Shape (count,)."""
    known = torch.tensor([label for label in labels if label != UNKNOWN])
    frequency = torch.bincount(known, minlength=count).clamp(min=1).float()
    weights = frequency**-balance
    return weights * frequency.sum() / (weights * frequency).sum()


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


def _optimizer(learner: Learner, recipe: Recipe) -> torch.optim.Optimizer:
    """Return AdamW with one learning rate for pretrained layers and one for layers with random weights at the start."""
    encoder, heads = learner.learning()
    groups = [{"params": encoder, "lr": recipe.learning_rate}, {"params": heads, "lr": recipe.head_learning_rate}]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


class _Report(TrainerCallback):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_others: Any
    ) -> None:
        self.progress(state.global_step / state.max_steps)
