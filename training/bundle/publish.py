"""Publication: a verified bundle becomes one commit on the Hub, and its sha is the model's version."""

from pathlib import Path

from huggingface_hub import HfApi

from training.bundle.hub import CARD_FILE, commit_folder
from triage.bundle import MANIFEST_FILE, read_manifest, verify


def publish(folder: Path, *, model_id: str, endpoint: str | None, token: str | None = None) -> str:
    """Upload the bundle in `folder` to the repository `model_id`, made if need be, and return the commit's sha.

    The commit holds the bundle and nothing else; content that is there already makes no commit. It is refused if
    somebody else commits meanwhile.

    Raises:
        FileNotFoundError: the folder has no `triage.json`.
        BundleCorruptError, BundleUnsafeError: the files are not those of `triage.json`.
        huggingface_hub.errors.HfHubHTTPError: the Hub refused.
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
