"""A folder as one commit of a repository on the Hub, made only where the Hub does not hold it already."""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoSibling

from triage.bundle import sha256_of

CARD_FILE = "README.md"

MADE_BY_THE_HUB = ".gitattributes"

RepositoryType = Literal["model", "dataset"]


def commit_folder(
    api: HfApi,
    folder: Path,
    *,
    repository: str,
    repo_type: RepositoryType,
    names: Collection[str],
    message: str,
    private: bool | None = None,
) -> str:
    """Upload the files `names` of `folder` to a repository, made if need be, and return the commit's sha.

    The commit holds these files and nothing else; content that is there already makes no commit. It is refused if
    somebody else commits meanwhile. `private` holds for a repository that is made, not for one that exists.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: the Hub refused.
    """
    api.create_repo(repository, repo_type=repo_type, private=private, exist_ok=True)
    describe = api.dataset_info if repo_type == "dataset" else api.model_info
    head = describe(repository, files_metadata=True)
    if _holds(head.siblings or (), folder, names) and head.sha:
        return head.sha
    return upload(
        api, folder, repository=repository, repo_type=repo_type, names=names, message=message, parent=head.sha
    )


def upload(
    api: HfApi,
    folder: Path,
    *,
    repository: str,
    repo_type: RepositoryType,
    names: Collection[str],
    message: str,
    parent: str | None,
) -> str:
    """Make the files `names` of `folder` all that a repository holds, where it still stands at the commit `parent`.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: the Hub refused.
    """
    commit = api.upload_folder(
        repo_id=repository,
        repo_type=repo_type,
        folder_path=folder,
        allow_patterns=sorted(names),
        delete_patterns="*",
        commit_message=message,
        parent_commit=parent,
    )
    return commit.oid


def _holds(siblings: Iterable[RepoSibling], folder: Path, names: Collection[str]) -> bool:
    """Whether the repository's files are exactly the folder's: LFS files by sha256, small ones by their git blob."""
    remote = {file.rfilename: file for file in siblings if file.rfilename != MADE_BY_THE_HUB}
    return remote.keys() == set(names) and all(_is_same(file, folder / name) for name, file in remote.items())


def _is_same(remote: RepoSibling, path: Path) -> bool:
    if remote.lfs is not None:
        return remote.lfs.sha256 == sha256_of(path)
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return remote.blob_id == blob.hexdigest()
