import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from tests.factories import any_bundle, any_hub_model, any_manifest, any_sha256
from triage.bundle import (
    DEFAULT_MAX_LENGTH,
    MANIFEST_FILE,
    MAX_DOCUMENT_BYTES,
    BundleFile,
    Calibration,
    Manifest,
    Thresholds,
    describe,
    hash_files,
    is_allowed,
    read_manifest,
    verify,
)
from triage.contracts import Contract
from triage.errors import BundleCorruptError, BundleRefusedError, BundleUnfitError, BundleUnsafeError


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
    (tmp_path / "tokenizer.json").rename(tmp_path / "vocab.txt")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert describe(tmp_path).engine == "transformers"


def test_no_id2label_is_no_classifier(tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    with pytest.raises(BundleCorruptError, match="id2label"):
        describe(tmp_path)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"0": "a", "2": "c"}, "must number its 2 labels from 0, and has no number 1"),
        ({"1": "a", "2": "b"}, "has no number 0"),
        ({"a": "a", "b": "b"}, "has no number 0"),
        ({"0": "only one"}, r"one score and no labels to choose from \(a regression\)"),
        ({"0": "a", "1": "b", "2": "a"}, "gives 0 and 2 the same name 'a'"),
        ({}, "has 0 labels; a classifier needs two or more"),
        ({"0": "a", "1": "b" * 90_000}, "the longest of 90,000 characters"),
        ({str(number): str(number) for number in range(1_001)}, "has 1,001 labels"),
    ],
    ids=["gap", "from one", "words", "one label", "repeated", "none", "too long", "too many"],
)
def test_labels_that_cannot_be_served_are_refused_for_the_true_reason(tmp_path, labels, reason):
    any_hub_model(tmp_path)
    change_config(tmp_path, id2label=labels)
    with pytest.raises(BundleRefusedError, match=reason) as refused:
        describe(tmp_path)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("prepare", [any_hub_model, any_bundle], ids=["plain", "ours"])
@pytest.mark.parametrize(
    ("kind", "reason"), [("multi_label_classification", "judges each label by itself"), ("regression", "a regression")]
)
def test_a_model_that_does_not_give_one_label_is_refused_for_the_true_reason(tmp_path, prepare, kind, reason):
    prepare(tmp_path)
    change_config(tmp_path, problem_type=kind)
    with pytest.raises(BundleUnfitError, match=reason):
        describe(tmp_path)


def test_a_head_with_other_labels_than_the_manifest_is_refused(tmp_path):
    any_bundle(tmp_path)
    change_config(tmp_path, id2label={"0": "a", "1": "b", "2": "c"})
    with pytest.raises(BundleCorruptError, match="differs"):
        describe(tmp_path)
    manifest = any_manifest(labels=("Mortgage", "Student loan"), files=hash_files(tmp_path))
    (tmp_path / MANIFEST_FILE).write_bytes(manifest.document())
    with pytest.raises(BundleUnfitError, match=r"2 labels, and id2label in config\.json has 3"):
        describe(tmp_path)


@pytest.mark.parametrize("prepare", [any_hub_model, any_bundle], ids=["plain", "ours"])
@pytest.mark.parametrize("left", [(), ("spm.model",), ("spiece.model",), ("vocab.json",)], ids=str)
def test_a_model_without_a_tokenizer_that_can_be_loaded_is_refused(tmp_path, prepare, left):
    prepare(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "model.onnx").rename(tmp_path / "model.safetensors")
    for name in left:
        (tmp_path / name).write_bytes(b"pieces")
    if prepare is any_bundle:
        manifest = any_manifest(engine="transformers", weights="model.safetensors", files=hash_files(tmp_path))
        (tmp_path / MANIFEST_FILE).write_bytes(manifest.document())
    with pytest.raises(BundleUnfitError, match=r"no tokenizer that can be loaded \(tokenizer\.json; vocab\.txt;"):
        describe(tmp_path)


@pytest.mark.parametrize("place", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "setting",
    [
        {"auto_map": {"AutoModel": "modeling.Model"}},
        {"attn_implementation": "somebody/kernel"},
        {"_attn_implementation": "somebody/kernel@main:flash"},
        {"attn_implementation": {"": "somebody/kernel"}},
        {"experts_implementation": "somebody/kernel"},
        {"text_config": {"attn_implementation": "somebody/kernel"}},
        {"layers": [{"auto_map": {"AutoModel": "other/repo--modeling.Model"}}]},
        {"custom_pipelines": {"any": {"impl": "pipeline.Any"}}},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
    ],
    ids=str,
)
def test_no_setting_names_code_or_files_elsewhere(tmp_path, place, setting):
    any_hub_model(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    document = json.loads((tmp_path / place).read_text())
    (tmp_path / place).write_text(json.dumps({**document, **setting}))
    with pytest.raises(BundleUnsafeError, match=place.replace(".", r"\.")):
        describe(tmp_path)


@pytest.mark.parametrize("implementation", [None, "eager", "sdpa"])
def test_attention_that_torch_brings_is_taken(tmp_path, implementation):
    any_hub_model(tmp_path)
    change_config(tmp_path, attn_implementation=implementation, text_config={"_attn_implementation": implementation})
    assert describe(tmp_path).engine == "onnx"


@pytest.mark.parametrize(
    ("shard", "error"),
    [
        ("../../other.safetensors", BundleUnsafeError),
        ("/etc/passwd", BundleUnsafeError),
        ("pytorch_model-00001-of-00002.bin", BundleUnsafeError),
        ("model-*.safetensors", BundleUnsafeError),
        (7, BundleUnsafeError),
        ("model-00002-of-00002.safetensors", BundleCorruptError),
    ],
)
def test_an_index_names_shards_beside_it_and_nothing_else(tmp_path, shard, error):
    any_hub_model(tmp_path)
    (tmp_path / "model.onnx").unlink()
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"weights")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": shard}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(error, match="index"):
        describe(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", MANIFEST_FILE])
def test_a_document_that_is_too_large_is_not_read(tmp_path, name):
    any_bundle(tmp_path)
    (tmp_path / name).write_bytes(b" " * (MAX_DOCUMENT_BYTES + 1))
    with pytest.raises(BundleCorruptError, match="has 8 MB, and at most 8 are read"):
        describe(tmp_path)


def test_a_document_that_nests_without_end_is_no_json(tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "config.json").write_text('{"a":' * 200_000)
    with pytest.raises(BundleCorruptError, match="not JSON"):
        describe(tmp_path)


def unbounded(schema: dict[str, Any]) -> set[str]:
    """The places in a schema that take a value of any size."""

    def walk(part: dict[str, Any], place: str) -> Iterator[str]:
        kind = part.get("type")
        if kind == "string" and not {"maxLength", "pattern", "enum", "const"} & part.keys():
            yield place
        if kind == "array" and "maxItems" not in part:
            yield place
        if kind == "object" and "additionalProperties" in part and part["additionalProperties"] is not False:
            if "maxProperties" not in part or not part.get("propertyNames"):
                yield place
            yield from walk(part["additionalProperties"], f"{place}.*")
        if kind == "integer" and not ({"minimum", "exclusiveMinimum"} & part.keys() and "maximum" in part):
            yield place
        for name, value in part.get("properties", {}).items():
            yield from walk(value, f"{place}.{name}")
        for each in (*part.get("anyOf", ()), *part.get("prefixItems", ()), *part.get("$defs", {}).values()):
            yield from walk(each, place)
        if isinstance(part.get("items"), dict):
            yield from walk(part["items"], f"{place}[]")

    return set(walk(schema, ""))


def test_every_field_of_a_bundle_is_bounded():
    assert unbounded(Manifest.model_json_schema()) == set()


def test_a_field_without_a_bound_would_be_found():
    class Wide(Contract):
        text: str
        many: tuple[Annotated[str, Field(max_length=3)], ...]
        figures: dict[str, float]
        number: int | None

    assert unbounded(Wide.model_json_schema()) == {".text", ".many", ".figures", ".number"}


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


@pytest.mark.parametrize(
    "name",
    [
        "model-x/../../other.safetensors",
        "model-/etc/any.safetensors",
        # The Hub's client would take it as a pattern, and fetch files that nobody has counted.
        "model-*.safetensors",
        "model-[0-9]-of-2.safetensors",
        "model-1-of-2.safetensors\n",
    ],
)
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
    labels=st.lists(st.text(max_size=200), min_size=2, max_size=5, unique=True),
    metrics=st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False), max_size=3),
    temperature=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
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
