"""Publishes a verified bundle as one commit on the Hub, whose sha is the version of the model."""

from pathlib import Path

from huggingface_hub import HfApi

from training.bundle.hub import CARD_FILE, commit_folder
from triage.bundle import MANIFEST_FILE, read_manifest, verify


def publish(folder: Path, *, model_id: str, endpoint: str | None, token: str | None = None) -> str:
    """Upload the bundle in `folder` to the repository `model_id` and return the sha of the commit.

    The commit has the files of the bundle and no others. If the repository already has them, no commit is made.

    Raises:
        FileNotFoundError: the folder has no `triage.json`.
        BundleCorruptError: a file is missing or differs from `triage.json`.
        BundleUnsafeError: `triage.json` names a file that may not be loaded.
        huggingface_hub.errors.HfHubHTTPError: the Hub refused, for instance because somebody else committed meanwhile.
    """
    manifest = read_manifest((folder / MANIFEST_FILE).read_bytes())
    verify(folder, manifest.files)
    return commit_folder(
        HfApi(endpoint=endpoint, token=token),
        folder,
        repository=model_id,
        repo_type="model",
        names={file.path for file in manifest.files} | {MANIFEST_FILE, CARD_FILE},
        message=f"Train {manifest.recipe} on {(manifest.data_fingerprint or 'unknown data')[:16]}",
    )
