"""The output folder of a training run: which content may be replaced, and whether its bundles are up to date."""

import shutil
from pathlib import Path

from training.data.prepare import Prepared
from training.recipe import Recipe
from triage.bundle import MANIFEST_FILE, read_manifest, verify
from triage.errors import BundleRefusedError

REPORTS = "reports"
"""The folder of the evaluations, beside the bundles; it has a folder for each task."""

PAGE, DATA, CARD = "report.html", "report.json", "card.md"
"""The files of an evaluation."""


def is_current(bundle: Path, recipe: Recipe, prepared: Prepared) -> bool:
    """Return whether the folder is an intact bundle of this recipe and these data."""
    document = bundle / MANIFEST_FILE
    if not document.is_file():
        return False
    try:
        manifest = read_manifest(document.read_bytes())
        verify(bundle, manifest.files)
    except BundleRefusedError:
        return False
    return (manifest.recipe, manifest.data_fingerprint) == (recipe.reference, prepared.fingerprint)


def require_replaceable(output: Path) -> None:
    """Raise ValueError if the folder is the current one, or holds anything else than bundles and their reports."""
    if output == Path.cwd():
        raise ValueError(f"{output} is the current folder, which cannot be replaced: choose another output folder")
    for found in output.iterdir() if output.is_dir() else ():
        replaceable = _are_reports(found) if found.name == REPORTS else (found / MANIFEST_FILE).is_file()
        if not replaceable:
            raise ValueError(
                f"{output} would be replaced, but {found.name} in it is not from a training run: choose another output "
                "folder"
            )


def _are_reports(folder: Path) -> bool:
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return folder.is_dir() and all(path.parent.parent == folder and path.name in (PAGE, DATA, CARD) for path in files)


def replace(output: Path, bundles: Path) -> None:
    """Move the folder `bundles` to `output`, in place of what is there."""
    if output.exists():
        shutil.rmtree(output)
    bundles.replace(output)
