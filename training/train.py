"""Fine-tuning of one encoder for all tasks.

The lower layers of a BERT are run once, and the upper ones and the heads are trained on what they gave. An encoder of
another architecture is trained as a whole, with its lower layers frozen: the same, and slower. The results are plain
classifiers of `transformers`, one for each task.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    EarlyStoppingCallback,
    PreTrainedModel,
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
from training.losses import Losses, class_weights
from training.prepare import Prepared
from training.recipe import Recipe
from training.upper import UpperPart
from training.whole import WholeModel, collate_ids

THREADS = 2
"""Of torch and of onnxruntime: what the smallest machine that trains has, and sums then come out the same anywhere."""

Features = list[dict[str, Any]]

Learner = UpperPart | WholeModel

Collate = Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]


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


def fine_tune(prepared: Prepared, recipe: Recipe, *, encoder: Path, checkpoints: Path, progress: Progress) -> Trained:
    """Train on `prepared.train`, keep the epoch with the smallest loss on `prepared.validation`.

    checkpoints: a folder for them; a run that was cut off goes on from the last one in it.

    Raises:
        ValueError: the recipe freezes more layers than the encoder has, reads more tokens than it can, or there is no
            tokenizer that tells places.
    """
    torch.set_num_threads(THREADS)
    transformers.set_seed(recipe.seed)
    with quiet():
        models = _classifiers(encoder, prepared, recipe)
        trained = Trained(models, _means(models, prepared, recipe), _tokenizer(encoder, recipe))
        module, train, validation, batch = _learner(trained, prepared, recipe, _part(progress, 0.0))
        trainer = _trainer(module, train, validation, batch, recipe, checkpoints, _part(progress, 0.5))
        trainer.train(resume_from_checkpoint=_last_of(checkpoints))
        module.to("cpu")
    return trained


def _last_of(checkpoints: Path) -> str | None:
    last: str | None = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None  # type: ignore[no-untyped-call]
    return last


def _learner(
    trained: Trained, prepared: Prepared, recipe: Recipe, progress: Progress
) -> tuple[Learner, Features, Features, Collate]:
    """What learns, what it reads of training and validation part, and how that becomes a batch."""
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
    return learner, features[: len(prepared.train)], features[len(prepared.train) :], batch


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
    heads |= {task: _head(shared, len(prepared.labels[task])) for task in recipe.auxiliary}
    means = _with_auxiliary(trained.means, shared, prepared, recipe) if recipe.mean else None
    return UpperPart(shared, heads, recipe.frozen_layers, means=means, losses=losses)


def _whole_model(trained: Trained, prepared: Prepared, recipe: Recipe, losses: Losses) -> WholeModel:
    shared = next(iter(trained.models.values()))
    classifiers = {**trained.models, **{task: _sibling(shared, prepared.labels[task]) for task in recipe.auxiliary}}
    means = _with_auxiliary(trained.means, shared, prepared, recipe) if recipe.mean else {}
    return WholeModel(classifiers, recipe.frozen_layers, means=means, losses=losses)


def _with_auxiliary(
    means: Mapping[str, nn.Linear], shared: PreTrainedModel, prepared: Prepared, recipe: Recipe
) -> dict[str, nn.Linear]:
    return {**means, **{task: _head(shared, len(prepared.labels[task])) for task in recipe.auxiliary}}


def _part(progress: Progress, start: float) -> Progress:
    """Progress within one half of a step."""
    return lambda done: progress(start + done / 2)


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


def _classifiers(encoder: Path, prepared: Prepared, recipe: Recipe) -> dict[str, PreTrainedModel]:
    first, *others = recipe.tasks
    model = AutoModelForSequenceClassification.from_pretrained(encoder, **_names(prepared.labels[first]))
    if recipe.frozen_layers >= model.config.num_hidden_layers:
        raise ValueError(f"of {model.config.num_hidden_layers} layers, {recipe.frozen_layers} cannot be frozen")
    places = getattr(model.config, "max_position_embeddings", recipe.max_length)
    if recipe.max_length > places:
        raise ValueError(f"the encoder has places for {places} tokens, the recipe reads {recipe.max_length}")
    return {first: model, **{task: _sibling(model, prepared.labels[task]) for task in others}}


def _means(models: Mapping[str, PreTrainedModel], prepared: Prepared, recipe: Recipe) -> dict[str, nn.Linear]:
    return {task: _head(model, len(prepared.labels[task])) for task, model in models.items()} if recipe.mean else {}


def _names(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "num_labels": len(labels),
    }


def _sibling(model: PreTrainedModel, labels: Sequence[str]) -> PreTrainedModel:
    """A classifier of other labels over the encoder of `model`."""
    sibling = type(model)(type(model.config)(**{**model.config.to_dict(), **_names(labels)}))
    setattr(sibling, model.base_model_prefix, model.base_model)
    return sibling


def _head(model: PreTrainedModel, labels: int) -> nn.Linear:
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


def _trainer(
    learner: Learner,
    train: Features,
    validation: Features,
    batch: Collate,
    recipe: Recipe,
    checkpoints: Path,
    progress: Progress,
) -> Trainer:
    trainer = Trainer(
        model=learner,
        args=_arguments(recipe, checkpoints),
        data_collator=batch,
        train_dataset=train,
        eval_dataset=validation,
        optimizers=(_optimizer(learner, recipe), None),
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


def _optimizer(learner: Learner, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with a rate of its own for the heads, which start from nothing."""
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
