"""Publication: a verified bundle becomes one commit on the Hub, and its sha is the model's version."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoSibling

from training.export import CARD_FILE
from triage.bundle import MANIFEST_FILE, read_manifest, verify

MADE_BY_THE_HUB = ".gitattributes"


def publish(folder: Path, *, model_id: str, endpoint: str, token: str | None = None) -> str:
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
    names = {file.path for file in manifest.files} | {MANIFEST_FILE, CARD_FILE}
    api = HfApi(endpoint=endpoint, token=token)
    api.create_repo(model_id, exist_ok=True)
    head = api.model_info(model_id, files_metadata=True)
    if _holds(head.siblings or (), folder, names) and head.sha:
        return head.sha
    commit = api.upload_folder(
        repo_id=model_id,
        folder_path=folder,
        allow_patterns=sorted(names),
        delete_patterns="*",
        commit_message=f"Train {manifest.recipe} on {(manifest.data_fingerprint or 'unknown data')[:16]}",
        parent_commit=head.sha,
    )
    return commit.oid


def _holds(siblings: Iterable[RepoSibling], folder: Path, names: set[str]) -> bool:
    """Whether the repository's files are exactly the folder's: LFS files by sha256, small ones by their git blob."""
    remote = {file.rfilename: file for file in siblings if file.rfilename != MADE_BY_THE_HUB}
    return remote.keys() == names and all(_is_same(file, folder / name) for name, file in remote.items())


def _is_same(remote: RepoSibling, path: Path) -> bool:
    content = path.read_bytes()
    if remote.lfs is not None:
        return remote.lfs.sha256 == hashlib.sha256(content).hexdigest()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return remote.blob_id == blob.hexdigest()
