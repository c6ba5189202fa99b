"""Model bundles: the files of one Hub commit, and the manifest that describes them and states their hashes.

A bundle is a folder in the layout of `transformers` (`config.json`, `tokenizer.json`, weights). A bundle that was
trained here holds its manifest as `triage.json`; for any other model it is made from `config.json` at registration.
"""

import hashlib
import json
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from triage.contracts import Contract, Sha256, TaskName
from triage.errors import BundleCorruptError, BundleUnsafeError
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
    "model-*.safetensors",
    "model.safetensors.index.json",
    "model.onnx",
    "onnx/model.onnx",
    "onnx/model_quantized.onnx",
    WIDE_FILE,
    SEEN_FILE,
    MANIFEST_FILE,
)
"""The only files that are fetched from the Hub: no code, no pickles, no external data of an ONNX graph."""

ONNX_WEIGHTS = ("model.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx")
SAFETENSORS_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
FORMATS = {".onnx", ".safetensors"}

Engine = Literal["onnx", "transformers"]
WEIGHTS: dict[Engine, tuple[str, ...]] = {"onnx": ONNX_WEIGHTS, "transformers": SAFETENSORS_WEIGHTS}
"""The files that each engine can load, the preferred first."""

DEFAULT_MAX_LENGTH = 512
"""In tokens: the most that a bundle without a manifest of its own reads, and its limit if it states none."""


class BundleFile(Contract):
    path: str
    sha256: Sha256
    size: int = Field(ge=0)


class Calibration(Contract):
    """Logits are divided by `temperature` before the softmax (Guo et al., 2017)."""

    temperature: float = Field(default=1.0, gt=0)


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
    weights: str
    labels: tuple[str, ...] = Field(min_length=2)
    label_counts: tuple[int, ...] | None = None
    positive_label: str | None = None
    max_length: int = Field(ge=8)
    files: tuple[BundleFile, ...]
    calibration: Calibration = Calibration()
    thresholds: Thresholds = Thresholds()
    taxonomy_version: str | None = None
    redaction_version: str | None = None
    data_fingerprint: str | None = None
    source_fingerprint: str | None = None
    recipe: str | None = None
    metrics: dict[str, float] = Field(default_factory=dict)

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
        shard = self.weights.endswith(".index.json") and fnmatch(file.path, "model-*.safetensors")
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
    """Whether the file may be loaded. A pattern of ALLOWED_FILES does not match files in further subfolders."""
    # The star of fnmatch also matches a slash.
    return any(fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in ALLOWED_FILES)


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
        BundleUnsafeError: the bundle needs remote code, or has neither safetensors nor ONNX weights.
        BundleCorruptError: `config.json` is missing or unreadable, or files differ from `triage.json`.
    """
    config = _read_json(folder / "config.json")
    if "auto_map" in config:
        raise BundleUnsafeError("config.json asks for remote code (auto_map)")
    own = folder / MANIFEST_FILE
    if own.is_file():
        manifest = read_manifest(own.read_bytes())
        verify(folder, manifest.files)
        return manifest
    return _manifest_from(config, folder)


def _manifest_from(config: dict[str, object], folder: Path) -> Manifest:
    files = hash_files(folder)
    names = {file.path for file in files}
    engine, weights = _choose_engine(names)
    labels = config.get("id2label")
    if not isinstance(labels, dict):
        raise BundleCorruptError("config.json has no id2label, so this is no text-classification model")
    try:
        return Manifest(
            engine=engine,
            weights=weights,
            labels=tuple(str(labels[str(index)]) for index in range(len(labels))),
            max_length=_max_length(config, folder),
            files=files,
        )
    except (KeyError, ValidationError) as error:
        raise BundleCorruptError("id2label in config.json must number two or more different labels from 0") from error


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
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleCorruptError(f"{path.name} is missing") from error
    except ValueError as error:
        raise BundleCorruptError(f"{path.name} is not JSON") from error
    if not isinstance(document, dict):
        raise BundleCorruptError(f"{path.name} is not a JSON object")
    return document
