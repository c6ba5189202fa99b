"""The steps and the output of `triage evaluate`. It imports slow libraries, so the command imports it late."""

from pathlib import Path

from cli.errors import CommandError, WrongUsageError
from cli.named_model import NamedModel
from cli.output import err, out, print_table
from cli.progress import Bar, Steps
from training.data.dataset import load_labelled
from training.evaluation.baseline import training_part
from training.evaluation.evaluation import Evaluation, beside_baselines, evaluate
from training.evaluation.predictions import NothingToEvaluateError, Predictions, predict
from training.evaluation.report import NAMES, columns, comparison, figure, measured_on, recall_of, shown, warnings
from triage.tasks import TASKS


def evaluate_named(
    model: NamedModel, file: Path, *, task: str | None, train: Path | None, limit: int | None, bar: Bar
) -> Evaluation:
    """Return a model's evaluation on the export `file`.

    With `train`, baselines trained on that export stand beside it; where they cannot be trained, a warning says so.

    Raises:
        WrongUsageError: the task does not fit the model or the export.
        CommandError: there is nothing to measure.
        ExportError: a file cannot be read.
    """
    chosen, steps = task_of(model, task), Steps(bar)
    steps.next(f"Reading {file.name}")
    data = load_labelled(file, min_products=1)
    known = sum(row.label(chosen) is not None for row in data.rows)
    steps.next(f"Predicting {chosen}", total=min(known, limit or known))
    try:
        predictions = predict(model.engine, model.manifest, data, task=chosen, limit=limit, progress=steps.advance)
    except NothingToEvaluateError as error:
        raise CommandError(str(error)) from error
    steps.next("Measuring")
    evaluation = evaluate(predictions, model.manifest, data, model=model.name, seen=model.seen)
    if train is not None:
        evaluation = _beside(evaluation, predictions, train, steps)
    steps.end()
    return evaluation


def task_of(model: NamedModel, requested: str | None) -> str:
    """Return the model's task, or the one that was requested if the model does not state it.

    Raises:
        WrongUsageError: the two differ, neither is known, or exports have no label for the task.
    """
    if model.task is not None and requested not in {None, model.task}:
        raise WrongUsageError(f"{model.name} decides {model.task}, not {requested}: leave --task out")
    task = model.task or requested
    if task is None:
        raise WrongUsageError(f"{model.name} does not state what it decides: state it with --task")
    if task not in TASKS:
        raise WrongUsageError(f"exports have no label for the task {task}: choose one of {', '.join(TASKS)}")
    return task


def _beside(evaluation: Evaluation, predictions: Predictions, train: Path, steps: Steps) -> Evaluation:
    steps.next(f"Reading {train.name}")
    try:
        part = training_part(predictions, load_labelled(train, min_products=1))
        return beside_baselines(evaluation, predictions, part, step=steps.next)
    except (NothingToEvaluateError, ValueError) as error:
        steps.end()
        err.print(f"Warning: the baselines cannot learn from {train}: {error}", soft_wrap=True)
        return evaluation


def warn(evaluation: Evaluation) -> None:
    for warning in warnings(evaluation):
        err.print(f"Warning: {warning}", soft_wrap=True)


def show(evaluation: Evaluation) -> None:
    side_by_side = columns(evaluation)
    print_table(
        f"{evaluation.task}: {evaluation.subject.model}",
        ("measure (95 % interval)", *side_by_side),
        (
            (NAMES[name], *(figure(column, name) for column in side_by_side.values()))
            for name in shown(evaluation.measured)
        ),
    )
    out.print(f"{measured_on(evaluation)}. Recall and precision: of {recall_of(evaluation)}.", soft_wrap=True)
    for human in evaluation.measured.humans:
        out.print(f"Compared with people: {comparison(human)}.", soft_wrap=True)
