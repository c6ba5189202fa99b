import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import boto3
import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.aws.functions import invoke, read_request
from cli.commands.show import read_story
from cli.errors import CommandError, NotFoundError
from cli.output import err, out, print_json, print_table
from runtime.adapters.bundles import S3Bundles
from triage.audit.reading import Read, ReadingRequest
from triage.audit.replay import Replay, compare, impossible
from triage.errors import BundleRefusedError, BundleUnavailableError, ModelFailedError
from triage.inference.classify import classify
from triage.inference.models import LoadedModels
from triage.letter import LETTER_VERSION
from triage.story import PredictionEntry, SelectionEntry, sha256_of_text

Text = Literal["as recorded", "as recorded, with markup", "changed", "read by another version", "not recorded"]
"""`as recorded, with markup`: an earlier version judged the letter as it is written, and is repeated on that."""


def replay(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose predictions are repeated.")],
    purpose: Annotated[str, typer.Option(help="Purpose of reading the text. It is recorded.")] = "replay",
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Fetch the models that judged a complaint, verify them, run them again, and compare answers with the record."""
    deployment = find(env, state=state)
    records = read_story(deployment, complaint_id)
    predictions = records.predictions
    if not predictions:
        raise NotFoundError(f"no model has answered for {complaint_id}: there is nothing to replay")
    session = deployment.acting_as("auditor-role")
    letter = _read(deployment, session, complaint_id, purpose)
    text = compared(records.selection, letter)
    words = letter.as_written if text == "as recorded, with markup" else letter.judged
    with err.status(f"Replaying {len(predictions)} predictions"):
        replays = _replay(deployment, session, words, predictions)
    if as_json:
        print_json(summary(complaint_id, replays, text))
    else:
        _table(replays)
    if text == "as recorded, with markup":
        err.print(
            f"{complaint_id} was judged with its markup and quotations, by a version without a reader of letters; the "
            "models were asked about the same text again"
        )
    if text == "read by another version":
        recorded = records.selection.letter_version if records.selection else None
        raise CommandError(
            f"the text of {complaint_id} was changed, or version {recorded} of the reader of letters took another text "
            f"from the letter than version {LETTER_VERSION} does: its hash differs from the record"
        )
    if text == "changed":
        raise CommandError(
            f"the text of {complaint_id} was changed after the models judged it: its hash differs from the record"
        )
    if not all(one.result in ("identical", "within tolerance") for one in replays):
        raise CommandError(f"at least one answer for {complaint_id} differs from its record, or could not be repeated")
    if not as_json:
        out.print("every model gave its recorded answer")


def compared(selection: SelectionEntry | None, letter: Read) -> Text:
    """Compare the letter with the hash of what the models judged."""
    if selection is None or selection.text_sha256 is None:
        return "not recorded"
    if sha256_of_text(letter.judged) == selection.text_sha256:
        return "as recorded"
    if selection.letter_version is None and sha256_of_text(letter.as_written) == selection.text_sha256:
        return "as recorded, with markup"
    return "changed" if selection.letter_version in (None, LETTER_VERSION) else "read by another version"


def summary(complaint_id: str, replays: list[Replay], text: Text) -> dict[str, Any]:
    """Return the document for --json. max_abs_difference: None if one of the predictions could not be repeated."""
    differences = [one.max_abs_difference for one in replays]
    known = [difference for difference in differences if difference is not None]
    return {
        "complaint_id": complaint_id,
        "identical": text not in ("changed", "read by another version")
        and all(one.result == "identical" for one in replays),
        "max_abs_difference": max(known) if len(known) == len(differences) else None,
        "text": text,
        "predictions": replays,
    }


def _read(deployment: Deployment, session: boto3.Session, complaint_id: str, purpose: str) -> Read:
    """Return the letter. Who reads it, and why, is recorded.

    Raises: NotFoundError if the complaint does not exist any more; CommandError if the function fails.
    """
    request = read_request(ReadingRequest, complaint_id=complaint_id, requester=deployment.operator, purpose=purpose)
    return invoke(session, deployment.name("read-narrative-function"), request, gives=Read)


def _replay(
    deployment: Deployment, session: boto3.Session, words: str, predictions: Iterable[PredictionEntry]
) -> list[Replay]:
    """Retired models are replayed too, because their bundles are kept."""
    store = S3Bundles(session.client("s3"), deployment.name("bundles-bucket"))
    with tempfile.TemporaryDirectory() as folder:
        models = LoadedModels(store, folder=Path(folder), capacity=1)
        return [again(words, prediction, models) for prediction in predictions]


def again(words: str, prediction: PredictionEntry, models: LoadedModels) -> Replay:
    try:
        loaded = models.get(prediction.model)
        return compare(prediction, classify(words, engine=loaded.engine, manifest=loaded.manifest))
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
