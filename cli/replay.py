"""`triage replay`"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options
from cli.deployment import Deployment, find
from cli.errors import CommandError, NotFoundError
from cli.output import err, out, print_json, print_table
from cli.show import read_story
from runtime.adapters.bundles import S3Bundles
from triage.complaint import Complaint
from triage.errors import BundleRefusedError, BundleUnavailableError, ModelFailedError
from triage.inference.classify import classify
from triage.inference.models import LoadedModels
from triage.replay import Replay, compare, impossible
from triage.story import PredictionEntry


def replay(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose predictions are made again.")],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Fetch the very models that judged a complaint, verify and run them again, and compare with the record."""
    deployment = find(env, state=state)
    predictions: list[PredictionEntry] = read_story(deployment, complaint_id)["predictions"]
    item = deployment.complaints.get(complaint_id)
    if not predictions:
        raise NotFoundError(f"no model has said anything about {complaint_id}")
    if item is None:
        raise NotFoundError(f"the text of {complaint_id} is not there any more; what was said about it is in its story")
    with err.status(f"Replaying {len(predictions)} predictions"):
        replays = _replay(deployment, Complaint.read(item), predictions)
    if as_json:
        print_json(summary(complaint_id, replays))
    else:
        _table(replays)
    if not all(one.result in ("identical", "within tolerance") for one in replays):
        raise CommandError(f"{complaint_id} could not be replayed as it was recorded")
    if not as_json:
        out.print("every model says what it is recorded to have said")


def summary(complaint_id: str, replays: list[Replay]) -> dict[str, Any]:
    """max_abs_difference: over all predictions; null where one of them could not be made again."""
    differences = [one.max_abs_difference for one in replays]
    known = [difference for difference in differences if difference is not None]
    return {
        "complaint_id": complaint_id,
        "identical": all(one.result == "identical" for one in replays),
        "max_abs_difference": max(known) if len(known) == len(differences) else None,
        "predictions": replays,
    }


def _replay(deployment: Deployment, complaint: Complaint, predictions: list[PredictionEntry]) -> list[Replay]:
    """Also of models that were retired since: their bundles stay."""
    store = S3Bundles(deployment.session.client("s3"), deployment.name("bundles-bucket"))
    with tempfile.TemporaryDirectory() as folder:
        models = LoadedModels(store, folder=Path(folder), capacity=1)
        return [again(complaint, prediction, models) for prediction in predictions]


def again(complaint: Complaint, prediction: PredictionEntry, models: LoadedModels) -> Replay:
    try:
        loaded = models.get(prediction.model)
        return compare(prediction, classify(complaint.narrative, engine=loaded.engine, manifest=loaded.manifest))
    except (BundleRefusedError, BundleUnavailableError, ModelFailedError) as error:
        return impossible(prediction, f"{type(error).__name__}: {error}")


def _table(replays: list[Replay]) -> None:
    print_table(
        "Replay",
        ("task", "recorded", "now", "largest difference", "result", "reason", "model version"),
        (
            (
                one.task + (" (shadow)" if one.shadow else ""),
                one.label,
                one.replayed_label,
                None if one.max_abs_difference is None else f"{one.max_abs_difference:.2g}",
                one.result,
                one.reason,
                one.version,
            )
            for one in replays
        ),
    )
