"""What the functions run: our sources, staged apart, and their libraries as layers or an image."""

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
from triage.steps import EXPLAIN, SHADOW_INFERENCE

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
RUNTIME = lambda_.Runtime.PYTHON_3_14
ARCHITECTURE = lambda_.Architecture.ARM_64


@dataclass(frozen=True)
class Package:
    """Code for a function, and the layers beside it; an image brings its own runtime and libraries."""

    code: lambda_.Code
    layers: tuple[lambda_.ILayerVersion, ...] = ()
    is_image: bool = False


class Packages(Construct):
    """One package for the control functions and one for each inference engine.

    Layers are built by `make package`. A synthesis needs neither them nor the network, so where they are missing it
    warns instead of failing.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        sources = stage_sources(BUILD / "sources")
        self.code_version = f"{__version__}+{digest(sources)[:12]}"
        source_code = lambda_.Code.from_asset(str(sources))
        if settings.packages == "host":
            self.control = self.onnx = self.transformers = self.shadow_transformers = Package(source_code)
            self.explain_transformers = self.transformers
        else:
            self.control = Package(source_code, (self._layer("Control"),))
            self.onnx = Package(source_code, (self._layer("Onnx"),))
            context = str(stage_image(sources))
            image = lambda_.Code.from_asset_image(context, platform=Platform.LINUX_ARM64)
            self.transformers = Package(image, is_image=True)
            # The same image; its Dockerfile names the handler of the models that answer.
            shadow_image = lambda_.Code.from_asset_image(
                context, platform=Platform.LINUX_ARM64, cmd=[SHADOW_INFERENCE.handler]
            )
            self.shadow_transformers = Package(shadow_image, is_image=True)
            explain_image = lambda_.Code.from_asset_image(context, platform=Platform.LINUX_ARM64, cmd=[EXPLAIN.handler])
            self.explain_transformers = Package(explain_image, is_image=True)

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
    """Copy `triage` and `runtime` alone: an asset of the root with exclusions keeps empty folders of all the rest."""
    with _staged(target) as folder:
        ignored = shutil.ignore_patterns("__pycache__", "*.txt", "*.Dockerfile")
        for package in ("triage", "runtime"):
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return target


def stage_image(sources: Path) -> Path:
    """The build context of the transformers function's image."""
    target = BUILD / f"image-{sources.name}"
    with _staged(target) as folder:
        shutil.copytree(sources, folder, dirs_exist_ok=True)
        shutil.copy(ROOT / "runtime" / "transformers.Dockerfile", folder / "Dockerfile")
        shutil.copy(ROOT / "runtime" / "requirements-transformers.txt", folder / "requirements.txt")
    return target


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` in one step: two syntheses may run in one checkout."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".staging-") as name:
        folder, replaced = Path(name) / "new", Path(name) / "old"
        folder.mkdir()
        yield folder
        with suppress(FileNotFoundError):
            target.rename(replaced)
        # Where another synthesis was faster, its copy of the same sources stands already.
        with suppress(OSError):
            folder.rename(target)


def digest(folder: Path) -> str:
    """sha256 of all files' names and contents."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
