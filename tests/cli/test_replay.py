import json
from pathlib import Path
from typing import Any

import pytest

from cli.aws.deployment import Deployment
from cli.commands.replay import compared
from runtime.adapters.bundles import S3Bundles
from tests.factories import any_bundle, any_item, any_model_reference, any_prediction, any_selection
from triage.audit.reading import Read
from triage.inference.classify import classify
from triage.inference.engine import load_engine
from triage.letter import LETTER_VERSION
from triage.steps import ModelReference
from triage.story import PredictionEntry, Probability, sha256_of_text
from triage.tables import RAW_COMPLAINTS

ENV = ("--env", "dev")
BUCKET = "bundles"
TEXT = "They raised my mortgage without a word."
ID = "8123456"


@pytest.fixture
def replay(shell):
    """Return a function that runs the command and returns exit code, output, and errors in one line."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = shell("replay", *arguments, *ENV)
        return code, out, " ".join(err.split())

    return run


@pytest.fixture
def deployment(functions):
    functions.complaints.put(any_item(complaint_id=ID, narrative=TEXT))
    return functions


@pytest.fixture
def prediction(deployment: Deployment, tmp_path: Path) -> PredictionEntry:
    """Return a recorded prediction, as the model makes it."""
    manifest = any_bundle(tmp_path / "bundle", task="product")
    model = any_model_reference(manifest_sha256=manifest.sha256)
    store = S3Bundles(deployment.session.client("s3"), BUCKET)
    store.store(tmp_path / "bundle", manifest, model_id=model.model_id, revision=model.revision)
    answer = classify(TEXT, engine=load_engine(tmp_path / "bundle", manifest), manifest=manifest)
    recorded = any_prediction(
        complaint_id=ID,
        model=model,
        label=answer.label,
        confidence=answer.confidence,
        top=tuple(Probability(label=label, probability=p) for label, p in answer.top),
        tokens_seen=answer.tokens_seen,
        tokens_total=answer.tokens_total,
    )
    deployment.story.put(recorded)
    return recorded


def key_of(model: ModelReference, name: str) -> str:
    return f"{model.model_id}/{model.revision}/{name}"


def test_a_replay_gives_the_recorded_answer(replay, deployment, prediction):
    code, out, _ = replay(ID, "--json")
    told = json.loads(out)
    assert (code, told["identical"], told["max_abs_difference"]) == (0, True, 0.0)
    (one,) = told["predictions"]
    assert (one["task"], one["label"], one["result"]) == ("product", prediction.label, "identical")
    assert "identical" in replay(ID)[1]


def test_a_record_that_was_tampered_with_is_told(replay, deployment, prediction):
    deployment.story.put(prediction.model_copy(update={"label": "Student loan"}))
    code, out, err = replay(ID, "--json")
    told = json.loads(out)
    assert (code, told["identical"]) == (1, False)
    assert told["predictions"][0]["reason"] == "another label"
    assert "differs from its record" in err


def test_a_flipped_byte_of_a_bundle_is_found(replay, deployment, prediction):
    s3, key = deployment.session.client("s3"), key_of(prediction.model, "model.onnx")
    whole = bytearray(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    whole[len(whole) // 2] ^= 1
    s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(whole))
    code, out, _ = replay(ID, "--json")
    told: dict[str, Any] = json.loads(out)
    assert (code, told["max_abs_difference"]) == (1, None)
    assert told["predictions"][0]["reason"].startswith("BundleCorruptError")


def test_another_text_is_found(replay, deployment, prediction):
    deployment.complaints.put(any_item(complaint_id=ID, narrative=TEXT + " Nobody answers."))
    code, out, _ = replay(ID, "--json")
    assert code == 1
    assert "changed since" in json.loads(out)["predictions"][0]["reason"]


def test_a_complaint_without_text_or_predictions_cannot_be_replayed(replay, deployment, prediction):
    assert replay("unknown")[0] == 3
    deployment.complaints.put(any_item(complaint_id="9"))
    assert "no model has answered" in replay("9")[2]
    deployment.session.client("dynamodb").delete_item(TableName=RAW_COMPLAINTS.name, Key={"complaint_id": {"S": ID}})
    code, _, err = replay(ID)
    assert code == 3 and "not in raw_complaints" in err


def letter(**texts: str) -> Read:
    return Read(**{"complaint_id": ID, "read_at": "now", "words": "", "judged": TEXT, "as_written": TEXT, **texts})


def test_a_letter_that_was_judged_with_its_markup_is_replayed_so_and_told(replay, deployment, prediction):
    """The models judged the markup before there was a reader of letters; the hash of the record says so."""
    deployment.complaints.put(any_item(complaint_id=ID, narrative=f"<p>{TEXT}</p>"))
    deployment.story.put(any_selection(complaint_id=ID, text_sha256=sha256_of_text(f"<p>{TEXT}</p>")))
    _, out, err = replay(ID, "--json")
    assert json.loads(out)["text"] == "as recorded, with markup"
    assert "was judged with its markup" in err
    deployment.story.put(any_selection(complaint_id=ID, text_sha256=sha256_of_text(TEXT), letter_version="1"))
    code, out, err = replay(ID, "--json")
    assert (code, json.loads(out)["text"]) == (0, "as recorded")
    assert "markup" not in err


def test_another_version_of_the_reader_of_letters_is_named(replay, deployment, prediction):
    deployment.story.put(any_selection(complaint_id=ID, text_sha256=sha256_of_text("?"), letter_version="0"))
    code, out, err = replay(ID, "--json")
    assert (code, json.loads(out)["text"], json.loads(out)["identical"]) == (1, "read by another version", False)
    assert "version 0 of the reader of letters" in err


def test_the_hash_of_the_markup_counts_only_where_no_reader_is_recorded():
    written = letter(as_written=f"<p>{TEXT}</p>")
    of_markup = sha256_of_text(written.as_written)
    assert compared(any_selection(text_sha256=of_markup), written) == "as recorded, with markup"
    assert compared(any_selection(text_sha256=of_markup, letter_version=LETTER_VERSION), written) == "changed"
    assert compared(any_selection(text_sha256=sha256_of_text("?")), written) == "changed"
    assert compared(any_selection(), written) == "not recorded"
