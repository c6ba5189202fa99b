import pytest
from huggingface_hub import DatasetCard

from training.bundle.hub import CARD_FILE
from training.data.crosswalk import load_crosswalk
from training.data.splits import PARTS
from triage.letter import LETTER_VERSION
from triage.taxonomy import load_taxonomy


@pytest.fixture(scope="module")
def card(snapshot):
    return DatasetCard.load(snapshot.folder / CARD_FILE)


def test_the_card_names_every_file_of_every_config(card, snapshot):
    named = {file["path"] for config in card.data.configs for file in config["data_files"]}
    assert named | {CARD_FILE} == snapshot.names
    assert [config["config_name"] for config in card.data.configs if config.get("default")] == ["time"]


def test_the_card_states_the_terms(write, tmp_path):
    write(tmp_path, licence="cc0-1.0", language="es", redaction="names-3")
    data = DatasetCard.load(tmp_path / CARD_FILE).data
    assert (data.license, data.language) == ("cc0-1.0", "es")
    assert data.complaints_triage["redaction"] == "names-3"


def test_the_card_says_what_the_labels_and_data_are(card, snapshot):
    origin = card.data.complaints_triage
    assert (origin["taxonomy"], origin["crosswalk"]) == (load_taxonomy().version, load_crosswalk().version)
    assert origin["letters"] == LETTER_VERSION and f"by version {LETTER_VERSION} of its reader" in card.text
    assert origin["source_fingerprint"] == snapshot.source_fingerprint
    assert origin["fingerprints"] == snapshot.fingerprints


def test_the_card_counts_each_label_in_each_part(card, data, splits):
    label, count = next(iter(data.counts("product").items()))
    in_parts = [
        sum(data.rows[row].product == label for row in getattr(split, part))
        for split in splits.values()
        for part in PARTS
    ]
    assert f"| {label} | {count} | {' | '.join(map(str, in_parts))} |" in card.text


def test_no_narrative_is_in_the_card(card, data):
    assert not any(row.narrative[:60] in str(card) for row in data.rows)
