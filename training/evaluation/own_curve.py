"""A recipe's own learning curve: trained again on halves of what it learns from, asked about the same complaints."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from training.data.dataset import LabelledData
from training.data.splits import Indices, some_groups
from training.evaluation.held_back import SEED, Parts, prepared_from
from training.evaluation.learning import Point, doubling_sizes, followed
from training.evaluation.measures import figures
from training.evaluation.predictions import NothingToEvaluateError, labelled_places, predict
from training.pipeline import OnProgress, train_models
from training.recipe import Recipe
from triage.bundle import describe
from triage.inference.engine import load_engine


def points_of_fewer(
    recipe: Recipe,
    data: LabelledData,
    parts: Parts,
    *,
    begin: Callable[[int], OnProgress],
    checkpoints: Path | None = None,
) -> Mapping[str, Sequence[Point]]:
    """What each task's model reaches on the test part after half of the examples, a quarter and so on, ascending.

    begin: told how many complaints the next run learns from. So few that they do not fit the recipe are left out.
    """
    points = defaultdict(list)
    for size in doubling_sizes(len(parts.learn))[:-1]:
        rows = parts.learn[some_groups(data.groups[parts.learn], rows=size, seed=SEED)]
        try:
            prepared = prepared_from(recipe, data, rows)
        except ValueError:
            continue
        with TemporaryDirectory() as workspace:
            bundles = train_models(
                recipe,
                output=Path(workspace) / "models",
                prepared=prepared,
                checkpoints=checkpoints,
                on_progress=begin(len(rows)),
            )
            for task, bundle in bundles.items():
                with suppress(NothingToEvaluateError):
                    points[task].append(_point(task, bundle, data, learnt=rows, test=parts.test))
    return points


def _point(task: str, bundle: Path, data: LabelledData, *, learnt: Indices, test: Indices) -> Point:
    manifest = describe(bundle)
    judged = predict(load_engine(bundle, manifest), manifest, data.at(test), task=task).judged
    # Without a positive there is nothing to find, and nothing is found.
    value = figures(judged)[followed(judged.positive)] or 0.0
    return Point(len(labelled_places(data.at(learnt), task=task)), value)
