"""Model bundles: the files of one Hub commit, and the manifest that describes them and states their hashes.

A bundle is a folder in the layout of `transformers` (`config.json`, `tokenizer.json`, weights). A bundle that was
trained here holds its manifest as `triage.json`; for any other model it is made from `config.json` at registration.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from triage.contracts import Contract, Sha256, TaskName
from triage.errors import BundleCorruptError, BundleUnfitError, BundleUnsafeError
from triage.validation import problems

MANIFEST_FILE = "triage.json"

WIDE_FILE = "wide.safetensors"
"""The wide part of a model that was trained here, for training only: the ONNX graph holds encoder and wide part."""

SEEN_FILE = "seen.safetensors"
"""Digests of the texts that a model was trained on, for evaluation only."""

ALLOWED_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "model.safetensors",
    "model.safetensors.index.json",
    "model.onnx",
    "onnx/model.onnx",
    "onnx/model_quantized.onnx",
    WIDE_FILE,
    SEEN_FILE,
    MANIFEST_FILE,
)
"""Besides shards, the only files that are fetched from the Hub: no code, no pickles, no external data of a graph."""

_SHARD = re.compile(r"model-\d{1,5}-of-\d{1,5}\.safetensors")
"""The name of one of several files of weights. It has no star: the Hub's client takes names as patterns."""

TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
"""The files from which a tokenizer is loaded. Those of SentencePiece need a library that no function has."""

MAX_DOCUMENT_BYTES = 8_000_000
"""Of `config.json`, `tokenizer_config.json`, `triage.json` and the index of shards, which are read whole."""

MAX_LABELS = 1_000
MAX_LABEL_CHARACTERS = 200
"""So that a prediction, which keeps the names of some labels, fits into a row of 400 KB."""

ATTENTION: Final = (None, "eager", "sdpa")
"""What `attn_implementation` of a configuration may name. Any other name may be a repository with code."""

ONNX_WEIGHTS = ("model.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx")
SAFETENSORS_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
FORMATS = {".onnx", ".safetensors"}

Engine = Literal["onnx", "transformers"]
WEIGHTS: dict[Engine, tuple[str, ...]] = {"onnx": ONNX_WEIGHTS, "transformers": SAFETENSORS_WEIGHTS}
"""The files that each engine can load, the preferred first."""

DEFAULT_MAX_LENGTH = 512
"""In tokens: the most that a bundle without a manifest of its own reads, and its limit if it states none."""


Named = Annotated[str, Field(max_length=MAX_LABEL_CHARACTERS)]


class BundleFile(Contract):
    path: Named
    sha256: Sha256
    size: int = Field(ge=0, le=10**12)


class Calibration(Contract):
    """Logits are divided by `temperature` before the softmax (Guo et al., 2017)."""

    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class Thresholds(Contract):
    """Thresholds on calibrated probabilities.

    auto: a prediction at or above it needs no person; without one, a person reviews every prediction.
    flag: for a task that looks for one label, the probability from which that label is given.
    """

    auto: float | None = Field(default=None, ge=0, le=1)
    flag: float | None = Field(default=None, ge=0, le=1)


class Manifest(Contract):
    """Describes a bundle.

    labels: `labels[i]` is the name of logit `i`. label_counts: training examples of each label. positive_label: the
    label that the model looks for. max_length: tokens. redaction_version: of the redactor that texts go through, in
    training and in serving; None where they are not redacted. data_fingerprint: sha256 of the training examples.
    source_fingerprint: sha256 of the export that they are from. recipe: its name and hash.
    """

    task: TaskName | None = None
    engine: Engine
    weights: Named
    labels: tuple[Named, ...] = Field(min_length=2, max_length=MAX_LABELS)
    label_counts: tuple[Annotated[int, Field(ge=0, le=10**12)], ...] | None = Field(default=None, max_length=MAX_LABELS)
    positive_label: Named | None = None
    max_length: int = Field(ge=8, le=100_000)
    files: tuple[BundleFile, ...] = Field(max_length=1_000)
    calibration: Calibration = Calibration()
    thresholds: Thresholds = Thresholds()
    taxonomy_version: Named | None = None
    redaction_version: Named | None = None
    data_fingerprint: Named | None = None
    source_fingerprint: Named | None = None
    recipe: Named | None = None
    metrics: dict[Named, float] = Field(default_factory=dict, max_length=1_000)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("two labels have the same name")
        if self.weights not in WEIGHTS[self.engine]:
            raise ValueError(f"{self.engine} cannot load {self.weights}; use {' or '.join(WEIGHTS[self.engine])}")
        if self.weights not in {file.path for file in self.files}:
            raise ValueError(f"the weights {self.weights} are not among the files")
        if self.positive_label is not None and self.positive_label not in self.labels:
            raise ValueError(f"the positive label {self.positive_label!r} is not among the labels")
        return self

    @property
    def weights_sha256(self) -> str:
        """The hash of the weights' file; for sharded weights, of the hashes of index and shards."""
        hashes = [file.sha256 for file in self.files if self._is_weights(file)]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()

    @property
    def served(self) -> tuple[BundleFile, ...]:
        """The files that its engine loads: all but the weights in another format."""
        return tuple(file for file in self.files if self._is_weights(file) or Path(file.path).suffix not in FORMATS)

    def _is_weights(self, file: BundleFile) -> bool:
        shard = self.weights.endswith(".index.json") and _SHARD.fullmatch(file.path) is not None
        return file.path == self.weights or shard

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def served_size(self) -> int:
        """The files that its engine loads, in bytes."""
        return sum(file.size for file in self.served)

    def document(self) -> bytes:
        """Return the canonical bytes, whose hash identifies the bundle.

        Only fields that were stated are written, so a field that this class gains later changes no document.
        """
        stated = self.model_dump(mode="json", exclude_unset=True)
        return json.dumps(stated, sort_keys=True, ensure_ascii=False).encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.document()).hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path) -> tuple[BundleFile, ...]:
    """Return every allowed file below `folder`, except the manifest itself, in the order of their names."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return tuple(
        BundleFile(path=name, sha256=sha256_of(folder / name), size=(folder / name).stat().st_size)
        for name in names
        if is_allowed(name) and name != MANIFEST_FILE
    )


def is_allowed(name: str) -> bool:
    """Whether the file may be loaded: a name of ALLOWED_FILES, or of a shard beside its index."""
    return name in ALLOWED_FILES or _SHARD.fullmatch(name) is not None


def read_manifest(document: bytes, *, expected_sha256: str | None = None) -> Manifest:
    """Parse a manifest.

    Raises:
        BundleCorruptError: the document is no manifest, or has another hash than expected.
        BundleUnsafeError: it names a file that may not be loaded.
    """
    try:
        manifest = Manifest.model_validate_json(document)
    except ValidationError as error:
        raise BundleCorruptError(f"{MANIFEST_FILE} is not a manifest: {problems(error, 'manifest')}") from error
    if expected_sha256 is not None and manifest.sha256 != expected_sha256:
        raise BundleCorruptError(
            f"{MANIFEST_FILE} has the hash {manifest.sha256}, but {expected_sha256} was registered"
        )
    for file in manifest.files:
        _refuse_unless_allowed(file.path)
    return manifest


def _refuse_unless_allowed(name: str) -> None:
    if not is_allowed(name):
        raise BundleUnsafeError(f"{name} is not a file that may be loaded")


def verify(folder: Path, files: Iterable[BundleFile]) -> None:
    """Compare files of a folder with their manifest: all files, or those that are served.

    Raises:
        BundleCorruptError: a file is missing, or its size or hash differs.
        BundleUnsafeError: the manifest names a file that may not be loaded.
    """
    for file in files:
        _refuse_unless_allowed(file.path)
        path = folder / file.path
        if not path.is_file():
            raise BundleCorruptError(f"{file.path} is missing")
        if path.stat().st_size != file.size or sha256_of(path) != file.sha256:
            raise BundleCorruptError(f"{file.path} differs from its manifest")


def describe(folder: Path) -> Manifest:
    """Return the manifest of a downloaded bundle: its own `triage.json`, verified, or one made from `config.json`.

    Raises:
        BundleUnsafeError: the bundle needs remote code, has neither safetensors nor ONNX weights, or its index names
            files that do not lie beside it.
        BundleUnfitError: the model is no classifier that gives one label, or has no tokenizer that can be loaded.
        BundleCorruptError: `config.json` is missing or unreadable, or files differ from `triage.json`.
    """
    config = _read_json(folder / "config.json")
    tokenizer = folder / "tokenizer_config.json"
    settings = {"config.json": config} | ({tokenizer.name: _read_json(tokenizer)} if tokenizer.is_file() else {})
    for name, document in settings.items():
        _refuse_code(name, document)
    _refuse_other_problems(config)
    own = folder / MANIFEST_FILE
    if own.is_file():
        manifest = read_manifest(_read_small(own))
        verify(folder, manifest.files)
        _refuse_other_heads(config, manifest)
    else:
        manifest = _manifest_from(config, folder)
    names = {file.path for file in manifest.files}
    if not any(names.issuperset(tokenizer) for tokenizer in TOKENIZERS):
        needed = "; ".join(" with ".join(files) for files in TOKENIZERS)
        raise BundleUnfitError(
            f"there is no tokenizer that can be loaded ({needed}); save it with the tokenizer's save_pretrained, which "
            "writes tokenizer.json, and publish that"
        )
    if manifest.weights.endswith(".index.json"):
        _refuse_foreign_shards(folder / manifest.weights, names)
    return manifest


def _refuse_code(name: str, document: object) -> None:
    """Refuse every setting, however deep, for which transformers fetches code or files from elsewhere."""
    for key, value in _settings(document):
        if key in ("auto_map", "custom_pipelines") and value is not None:
            raise BundleUnsafeError(f"{name} asks for remote code ({key}); publish the model without it")
        if key.endswith("_implementation") and not (isinstance(value, str | None) and value in ATTENTION):
            raise BundleUnsafeError(
                f"{name} names code in {key}; use {' or '.join(filter(None, ATTENTION))}, or leave it out"
            )
        if key in ("use_kernels", "quantization_config", "base_model_name_or_path") and value:
            raise BundleUnsafeError(f"{name} needs code or files from elsewhere ({key}); publish plain weights")


def _settings(document: object) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, of this object and all objects in it."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _refuse_other_problems(config: dict[str, object]) -> None:
    kind = config.get("problem_type")
    if kind == "multi_label_classification":
        raise BundleUnfitError(
            "problem_type is multi_label_classification: the model judges each label by itself, and triage needs one "
            "answer among all; train it with single_label_classification"
        )
    if kind == "regression" or ((labels := config.get("id2label")) is not None and _count(labels) == 1):
        raise BundleUnfitError(
            "the model has one score and no labels to choose from (a regression); train a classifier"
        )


def _count(labels: object) -> int:
    return len(labels) if isinstance(labels, dict) else 0


def _refuse_other_heads(config: dict[str, object], manifest: Manifest) -> None:
    labels = config.get("id2label")
    if labels is not None and _count(labels) != len(manifest.labels):
        raise BundleUnfitError(
            f"{MANIFEST_FILE} has {len(manifest.labels)} labels, and id2label in config.json has {_count(labels)}"
        )


def _refuse_foreign_shards(index: Path, names: set[str]) -> None:
    shards = _read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise BundleCorruptError(f"{index.name} has no weight_map; publish the model again")
    for shard in shards.values():
        if not isinstance(shard, str) or _SHARD.fullmatch(shard) is None:
            raise BundleUnsafeError(f"{index.name} names a file other than model-N-of-M.safetensors beside it")
        if shard not in names:
            raise BundleCorruptError(f"{index.name} names {shard}, which is missing")


def _manifest_from(config: dict[str, object], folder: Path) -> Manifest:
    files = hash_files(folder)
    names = {file.path for file in files}
    engine, weights = _choose_engine(names)
    try:
        return Manifest(
            engine=engine,
            weights=weights,
            labels=_labels(config),
            max_length=_max_length(config, folder),
            files=files,
        )
    except ValidationError as error:
        raise BundleCorruptError(f"what config.json says makes no manifest: {problems(error, 'manifest')}") from error


def _labels(config: dict[str, object]) -> tuple[str, ...]:
    """Return the names of `id2label` in the order of their numbers. Raises: BundleCorruptError saying what is wrong."""
    named = config.get("id2label")
    if not isinstance(named, dict):
        raise BundleCorruptError("config.json has no id2label, so this is no text-classification model")
    numbers = [str(index) for index in range(len(named))]
    if absent := [number for number in numbers if number not in named]:
        raise BundleCorruptError(
            f"id2label in config.json must number its {len(named)} labels from 0, and has no number {absent[0]}"
        )
    labels = tuple(str(named[number]) for number in numbers)
    longest = max(map(len, labels), default=0)
    if len(labels) < 2:
        raise BundleCorruptError(f"id2label in config.json has {len(labels)} labels; a classifier needs two or more")
    if longest > MAX_LABEL_CHARACTERS or len(labels) > MAX_LABELS:
        raise BundleCorruptError(
            f"id2label in config.json has {len(labels):,} labels, the longest of {longest:,} characters; at most "
            f"{MAX_LABELS:,} labels of {MAX_LABEL_CHARACTERS} characters are served"
        )
    places: dict[str, str] = {}
    for number, label in zip(numbers, labels, strict=True):
        if label in places:
            raise BundleCorruptError(
                f"id2label in config.json gives {places[label]} and {number} the same name {label!r}"
            )
        places[label] = number
    return labels


def _choose_engine(names: set[str]) -> tuple[Engine, str]:
    """Choose ONNX where the bundle has a graph and its fast tokenizer, else transformers."""
    if "tokenizer.json" in names:
        for weights in ONNX_WEIGHTS:
            if weights in names:
                return "onnx", weights
    for weights in SAFETENSORS_WEIGHTS:
        if weights in names:
            return "transformers", weights
    raise BundleUnsafeError("the bundle has neither ONNX (with tokenizer.json) nor safetensors weights")


def _max_length(config: dict[str, object], folder: Path) -> int:
    """Return how many tokens the model can read: the least of what tokenizer, position embeddings and default allow."""
    tokenizer = folder / "tokenizer_config.json"
    stated = (
        config.get("max_position_embeddings"),
        _read_json(tokenizer).get("model_max_length") if tokenizer.is_file() else None,
    )
    # Tokenizers without a limit state 1e30.
    sensible = [value for value in stated if isinstance(value, int) and 8 <= value <= 100_000]
    return min([*sensible, DEFAULT_MAX_LENGTH])


def _read_json(path: Path) -> dict[str, object]:
    try:
        document = json.loads(_read_small(path))
    except FileNotFoundError as error:
        raise BundleCorruptError(f"{path.name} is missing") from error
    except (ValueError, RecursionError) as error:
        raise BundleCorruptError(f"{path.name} is not JSON") from error
    if not isinstance(document, dict):
        raise BundleCorruptError(f"{path.name} is not a JSON object")
    return document


def _read_small(path: Path) -> bytes:
    if path.is_file() and (size := path.stat().st_size) > MAX_DOCUMENT_BYTES:
        raise BundleCorruptError(
            f"{path.name} has {size / 1e6:.0f} MB, and at most {MAX_DOCUMENT_BYTES / 1e6:.0f} are read"
        )
    return path.read_bytes()
