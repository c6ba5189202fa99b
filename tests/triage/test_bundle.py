import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.factories import any_bundle, any_hub_model, any_manifest, any_sha256
from triage.bundle import (
    DEFAULT_MAX_LENGTH,
    MANIFEST_FILE,
    BundleFile,
    Calibration,
    Thresholds,
    describe,
    hash_files,
    is_allowed,
    read_manifest,
    verify,
)
from triage.errors import BundleCorruptError, BundleUnsafeError


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def any_file(path: str = "model.onnx") -> BundleFile:
    return BundleFile(path=path, sha256=any_sha256(path), size=1)


def test_a_bundle_of_ours_describes_itself(tmp_path):
    written = any_bundle(tmp_path, task="product", calibration=Calibration(temperature=1.7))
    assert describe(tmp_path) == written


def test_a_plain_model_of_the_hub_is_described_from_its_config(tmp_path):
    any_hub_model(tmp_path, labels=("bad", "good"))
    manifest = describe(tmp_path)
    assert (manifest.engine, manifest.weights, manifest.labels) == ("onnx", "model.onnx", ("bad", "good"))
    assert manifest.task is None
    assert manifest.thresholds == Thresholds()
    verify(tmp_path, manifest.files)


def test_labels_follow_their_numbers_and_not_their_order_in_the_file(tmp_path):
    any_hub_model(tmp_path)
    change_config(tmp_path, id2label={str(number): f"label {number}" for number in reversed(range(12))})
    assert describe(tmp_path).labels == tuple(f"label {number}" for number in range(12))


@pytest.mark.parametrize("prepare", [any_hub_model, any_bundle], ids=["plain", "ours"])
def test_remote_code_is_refused(tmp_path, prepare):
    prepare(tmp_path)
    change_config(tmp_path, auto_map={"AutoModel": "modeling.Model"})
    with pytest.raises(BundleUnsafeError, match="remote code"):
        describe(tmp_path)


def test_pickled_weights_alone_are_refused(tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "model.onnx").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(BundleUnsafeError, match="safetensors"):
        describe(tmp_path)


def test_a_graph_without_its_fast_tokenizer_is_refused(tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(BundleUnsafeError):
        describe(tmp_path)


def test_a_graph_without_its_fast_tokenizer_gives_way_to_safetensors(tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert describe(tmp_path).engine == "transformers"


def test_no_id2label_is_no_classifier(tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    with pytest.raises(BundleCorruptError, match="id2label"):
        describe(tmp_path)


@pytest.mark.parametrize(
    "labels",
    [{"0": "a", "2": "c"}, {"1": "a", "2": "b"}, {"a": "a", "b": "b"}, {"0": "only one"}, {"0": "a", "1": "a"}, {}],
    ids=["gap", "from one", "words", "one label", "repeated", "none"],
)
def test_labels_that_do_not_number_the_logits_are_refused(tmp_path, labels):
    any_hub_model(tmp_path)
    change_config(tmp_path, id2label=labels)
    with pytest.raises(BundleCorruptError):
        describe(tmp_path)


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b"null"])
def test_a_config_that_is_no_json_object_is_refused(tmp_path, document):
    any_hub_model(tmp_path)
    (tmp_path / "config.json").write_bytes(document)
    with pytest.raises(BundleCorruptError, match=r"config\.json"):
        describe(tmp_path)


def test_a_missing_config_is_named(tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(BundleCorruptError, match=r"config\.json is missing"):
        describe(tmp_path)


@pytest.mark.parametrize(
    ("position_embeddings", "tokenizer_limit", "expected"),
    [
        (128, 64, 64),
        (64, 128, 64),
        (4096, 4096, DEFAULT_MAX_LENGTH),
        (None, 10**30, DEFAULT_MAX_LENGTH),
        (256, 10**30, 256),
        ("many", None, DEFAULT_MAX_LENGTH),
        (-1, 0, DEFAULT_MAX_LENGTH),
    ],
)
def test_the_length_is_the_smallest_sensible_limit(tmp_path, position_embeddings, tokenizer_limit, expected):
    any_hub_model(tmp_path)
    change_config(tmp_path, max_position_embeddings=position_embeddings)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": tokenizer_limit}))
    assert describe(tmp_path).max_length == expected


def test_a_flipped_byte_is_found(tmp_path):
    manifest = any_bundle(tmp_path)
    weights = bytearray((tmp_path / "model.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(weights)
    with pytest.raises(BundleCorruptError, match=r"model\.onnx differs"):
        verify(tmp_path, manifest.files)
    with pytest.raises(BundleCorruptError, match=r"model\.onnx differs"):
        describe(tmp_path)


def test_a_wrong_size_is_found_even_where_the_hash_agrees(tmp_path):
    manifest = any_bundle(tmp_path)
    wrong = [file.model_copy(update={"size": file.size + 1}) for file in manifest.files]
    with pytest.raises(BundleCorruptError, match="differs"):
        verify(tmp_path, wrong)


def test_a_missing_file_is_named(tmp_path):
    manifest = any_bundle(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(BundleCorruptError, match=r"tokenizer\.json is missing"):
        verify(tmp_path, manifest.files)


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/passwd",
        "code.py",
        "pytorch_model.bin",
        "model.onnx_data",
        "onnx/../model.onnx",
        "model.onnx\n",
        "MODEL.ONNX",
        "config.json/../../config.json",
        "",
    ],
)
def test_a_file_that_may_not_be_loaded_is_refused_before_it_is_looked_at(tmp_path, name):
    assert not is_allowed(name)
    with pytest.raises(BundleUnsafeError):
        verify(tmp_path, [any_file(name)])


def test_a_manifest_that_names_a_file_elsewhere_is_refused_before_anything_is_fetched():
    manifest = any_manifest()
    led_astray = manifest.model_copy(update={"files": (*manifest.files, any_file("../../outside/config.json"))})
    with pytest.raises(BundleUnsafeError, match="outside"):
        read_manifest(led_astray.document(), expected_sha256=led_astray.sha256)


@pytest.mark.parametrize("name", ["model-x/../../other.safetensors", "model-/etc/any.safetensors"])
def test_a_shard_lies_beside_its_index(name):
    assert not is_allowed(name)


def test_shards_of_a_large_model_are_allowed():
    assert is_allowed("model-00001-of-00002.safetensors")


def test_the_hash_of_a_manifest_pins_it():
    manifest = any_manifest()
    assert read_manifest(manifest.document(), expected_sha256=manifest.sha256) == manifest
    with pytest.raises(BundleCorruptError, match="was registered"):
        read_manifest(any_manifest(max_length=65).document(), expected_sha256=manifest.sha256)


def test_the_layout_of_a_manifest_does_not_change_its_hash():
    manifest = any_manifest()
    spread = json.dumps(json.loads(manifest.document()), indent=4).encode()
    assert read_manifest(spread, expected_sha256=manifest.sha256) == manifest


@given(
    labels=st.lists(st.text(), min_size=2, max_size=5, unique=True),
    metrics=st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False), max_size=3),
    temperature=st.floats(min_value=0, exclude_min=True),
    auto=st.none() | st.floats(0, 1),
)
def test_any_manifest_survives_being_written_and_read(labels, metrics, temperature, auto):
    manifest = any_manifest(
        labels=tuple(labels),
        metrics=metrics,
        calibration=Calibration(temperature=temperature),
        thresholds=Thresholds(auto=auto),
    )
    assert read_manifest(manifest.document(), expected_sha256=manifest.sha256) == manifest


@given(st.binary(max_size=60))
def test_bytes_that_are_no_manifest_are_corrupt_and_nothing_else(document):
    with pytest.raises(BundleCorruptError):
        read_manifest(document)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"labels": ("a", "a")}, "same name"),
        ({"labels": ("a",)}, "at least 2"),
        ({"weights": "onnx/model.onnx"}, "not among the files"),
        ({"weights": "tokenizer.json"}, "onnx cannot load tokenizer.json; use model.onnx or"),
        ({"positive_label": "c"}, "not among the labels"),
        ({"max_length": 7}, "greater than or equal to 8"),
        ({"engine": "pickle"}, "engine"),
        ({"task": "Product!"}, "task"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_inconsistent_manifest_is_refused(values, complaint):
    with pytest.raises(ValidationError, match=complaint):
        any_manifest(**values)


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.1])
def test_a_threshold_is_a_probability(value):
    for name in ("auto", "flag"):
        with pytest.raises(ValidationError):
            Thresholds(**{name: value})


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_temperature_is_positive(value):
    with pytest.raises(ValidationError):
        Calibration(temperature=value)


def test_weights_in_the_other_format_are_not_served():
    names = ["config.json", "tokenizer.json", "model.onnx", "model.safetensors"]
    files = tuple(any_file(name) for name in names)
    onnx = any_manifest(engine="onnx", weights="model.onnx", files=files)
    transformers = any_manifest(engine="transformers", weights="model.safetensors", files=files)
    assert {file.path for file in onnx.served} == set(names) - {"model.safetensors"}
    assert {file.path for file in transformers.served} == set(names) - {"model.onnx"}


def test_all_shards_of_the_weights_are_served():
    names = ["config.json", "model.safetensors.index.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors"]
    manifest = any_manifest(
        engine="transformers",
        weights="model.safetensors.index.json",
        files=tuple(any_file(name) for name in [*names, "model.onnx"]),
    )
    assert {file.path for file in manifest.served} == set(names)


def test_other_shards_are_other_weights():
    index = any_file("model.safetensors.index.json")
    ours, theirs = (
        any_manifest(
            engine="transformers",
            weights=index.path,
            files=(index, BundleFile(path="model-1-of-1.safetensors", sha256=any_sha256(of), size=1)),
        )
        for of in ("ours", "theirs")
    )
    assert ours.weights_sha256 != theirs.weights_sha256


def test_only_allowed_files_are_hashed_and_the_manifest_is_not(tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "modeling.py").write_text("import os")
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx/model.onnx").write_bytes(b"graph")
    names = [file.path for file in hash_files(tmp_path)]
    assert names == sorted(names)
    assert "onnx/model.onnx" in names
    assert not {"modeling.py", MANIFEST_FILE} & set(names)


def test_a_manifest_of_its_own_names_weights_that_its_engine_reads(tmp_path):
    document = json.loads(any_bundle(tmp_path).document()) | {"weights": "tokenizer.json"}
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(document))
    with pytest.raises(BundleCorruptError):
        describe(tmp_path)
