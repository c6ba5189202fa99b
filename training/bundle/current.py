"""Whether a bundle has to be trained again; this module does without torch, which takes seconds to import."""

from pathlib import Path

from training.data.prepare import Prepared
from training.recipe import Recipe
from triage.bundle import MANIFEST_FILE, read_manifest, verify
from triage.errors import BundleRefusedError


def is_current(output: Path, recipe: Recipe, prepared: Prepared) -> bool:
    """Return whether `output` is an intact bundle of this recipe and these data."""
    document = output / MANIFEST_FILE
    if not document.is_file():
        return False
    try:
        manifest = read_manifest(document.read_bytes())
        verify(output, manifest.files)
    except BundleRefusedError:
        return False
    return (manifest.recipe, manifest.data_fingerprint) == (recipe.reference, prepared.fingerprint)
