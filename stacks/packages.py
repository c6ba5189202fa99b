"""The code that functions run: a copy of our sources, and their libraries as layers or an image."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_ecr_assets import Platform
from constructs import Construct

from stacks.settings import Settings
from triage import __version__
from triage.functions import MODEL_INFERENCE, Function

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
RUNTIME = lambda_.Runtime.PYTHON_3_14
ARCHITECTURE = lambda_.Architecture.ARM_64


@dataclass(frozen=True)
class Package:
    """The code of a function and its layers. An image has its own runtime and libraries, and no layers."""

    code: lambda_.Code
    layers: tuple[lambda_.ILayerVersion, ...] = ()
    is_image: bool = False


class Packages(Construct):
    """The package of the control functions, and one for each inference engine.

    `make package` builds the layers. Where they are missing, a synthesis warns and uses empty ones.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        sources = stage_sources(BUILD / "sources")
        self.code_version = f"{__version__}+{digest(sources)[:12]}"
        source_code = lambda_.Code.from_asset(str(sources))
        if settings.packages == "host":
            self._image_context = None
            self.control = self.onnx = Package(source_code)
        else:
            self._image_context = str(stage_image(sources))
            self.control = Package(source_code, (self._layer("Control"),))
            self.onnx = Package(source_code, (self._layer("Onnx"),))

    def transformers(self, function: Function) -> Package:
        """Return the package of a function that runs the transformers engine: one image for all of them."""
        if self._image_context is None:
            return self.control
        # The Dockerfile names the handler of `model_inference`.
        command = None if function is MODEL_INFERENCE else [function.handler]
        image = lambda_.Code.from_asset_image(self._image_context, platform=Platform.LINUX_ARM64, cmd=command)
        return Package(image, is_image=True)

    def _layer(self, name: str) -> lambda_.LayerVersion:
        folder = BUILD / "layers" / name.lower()
        if not (folder / "python").is_dir():
            Annotations.of(self).add_warning_v2(
                f"complaints-triage:layer-{name.lower()}",
                f"the {name} layer is empty: run `make package` before deploying",
            )
            folder = BUILD / "empty-layer"
            (folder / "python").mkdir(parents=True, exist_ok=True)
            (folder / "python" / "EMPTY").touch()
        return lambda_.LayerVersion(
            self,
            name,
            code=lambda_.Code.from_asset(str(folder)),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
        )


def stage_sources(target: Path) -> Path:
    """Copy `triage` and `runtime`. CDK's exclusions would leave empty folders of everything else in the asset."""
    with _staged(target) as folder:
        ignored = shutil.ignore_patterns("__pycache__", "*.txt", "*.lock", "*.Dockerfile")
        for package in ("triage", "runtime"):
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return target


def stage_image(sources: Path) -> Path:
    """Copy what the image of the transformers functions is built from."""
    target = BUILD / f"image-{sources.name}"
    with _staged(target) as folder:
        shutil.copytree(sources, folder, dirs_exist_ok=True)
        shutil.copy(ROOT / "runtime" / "transformers.Dockerfile", folder / "Dockerfile")
        shutil.copy(ROOT / "runtime" / "requirements-image.lock", folder / "requirements.lock")
    return target


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Yield a folder that is renamed to `target` at the end, because two syntheses may run in one checkout."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".staging-") as name:
        folder, replaced = Path(name) / "new", Path(name) / "old"
        folder.mkdir()
        yield folder
        with suppress(FileNotFoundError):
            target.rename(replaced)
        # Another synthesis may have been faster: its copy of the same sources is there already.
        with suppress(OSError):
            folder.rename(target)


def digest(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
