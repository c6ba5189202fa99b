"""The whole procedure: prepare, train, export. Publication is a step of its own."""

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from training.encoder import locate
from training.export import export
from training.prepare import Example, Prepared, prepare
from training.recipe import Recipe
from training.train import fine_tune
from triage.bundle import MANIFEST_FILE, read_manifest, verify
from triage.errors import BundleRefusedError

STEPS = ("prepare", "train", "export")

OnProgress = Callable[[str, float], None]
"""Told the step, one of `STEPS`, and the share of it that is done, 0 to 1."""


def train_model(
    recipe: Recipe,
    *,
    output: Path,
    examples: Iterable[Example] | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """Train the recipe's model into the bundle folder `output`, and return it.

    A bundle of the same recipe and data that is intact is kept; any other content of `output` is replaced, at the
    end and at once. Without `examples`, the recipe's number of complaints is generated.

    Raises:
        EncoderError: the encoder is missing, or not the one that is known.
        ValueError: the examples or the encoder do not fit the recipe.
    """
    report = on_progress or (lambda step, done: None)
    prepared = prepare(recipe, examples)
    report("prepare", 1.0)
    if is_current(output, recipe, prepared):
        return output
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as temporary:
        bundle, checkpoints, graphs = (Path(temporary, name) for name in ("bundle", "checkpoints", "graphs"))
        graphs.mkdir()
        encoder = locate(recipe.encoder)
        trained = fine_tune(prepared, recipe, encoder=encoder, workspace=checkpoints, progress=partial(report, "train"))
        trained.save(bundle)
        export(bundle, prepared, recipe, workspace=graphs, progress=partial(report, "export"))
        _replace(output, bundle)
    return output


def is_current(output: Path, recipe: Recipe, prepared: Prepared) -> bool:
    """Whether `output` is an intact bundle of this recipe and these data."""
    document = output / MANIFEST_FILE
    if not document.is_file():
        return False
    try:
        manifest = read_manifest(document.read_bytes())
        verify(output, manifest.files)
    except BundleRefusedError:
        return False
    return (manifest.recipe, manifest.data_fingerprint) == (recipe.reference, prepared.fingerprint)


def _replace(output: Path, bundle: Path) -> None:
    if output.exists():
        shutil.rmtree(output)
    bundle.replace(output)
