"""Fine-tuning of one encoder for all tasks.

The lower layers are run once, and the upper ones and the heads are trained on what they gave. The results are plain
classifiers of `transformers`, one for each task.
"""

from pathlib import Path
from typing import Any

import torch
import transformers
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
from training.model.classifiers import Trained, load, quiet
from training.model.encoding import Progress, mixes_precision
from training.model.learner import Learner, Learning, learning
from training.recipe import Recipe

THREADS = 2
"""Of torch and of onnxruntime: what the smallest machine that trains has, and sums then come out the same anywhere."""


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
        trained = load(encoder, prepared, recipe)
        material = learning(trained, prepared, recipe, _part(progress, 0.0))
        trainer = _trainer(material, recipe, checkpoints, _part(progress, 0.5))
        trainer.train(resume_from_checkpoint=_last_of(checkpoints))
        material.learner.to("cpu")
    return trained


def _last_of(checkpoints: Path) -> str | None:
    last: str | None = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None  # type: ignore[no-untyped-call]
    return last


def _part(progress: Progress, start: float) -> Progress:
    """Progress within one half of a step."""
    return lambda done: progress(start + done / 2)


def _trainer(material: Learning, recipe: Recipe, checkpoints: Path, progress: Progress) -> Trainer:
    trainer = Trainer(
        model=material.learner,
        args=_arguments(recipe, checkpoints),
        data_collator=material.collate,
        train_dataset=material.train,
        eval_dataset=material.validation,
        optimizers=(_optimizer(material.learner, recipe), None),
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
