"""Makes a Hub repository hold exactly the chosen files of a folder, in one commit; in none if it already does."""

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
    """Upload the files `names` of `folder` to a repository and return the sha of the commit.

    The commit has these files and no others. If the repository already has them, no commit is made. A repository that
    does not exist is made; `private` applies only then.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: the Hub refused, for instance because somebody else committed meanwhile.
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
    """Replace the content of a repository by the files `names` of `folder`, and return the sha of the commit.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: the Hub refused, or the repository is no longer at the commit `parent`.
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
    """Return whether the repository has exactly these files; LFS files are compared by sha256, others by git blob."""
    remote = {file.rfilename: file for file in siblings if file.rfilename != MADE_BY_THE_HUB}
    return remote.keys() == set(names) and all(_is_same(file, folder / name) for name, file in remote.items())


def _is_same(remote: RepoSibling, path: Path) -> bool:
    if remote.lfs is not None:
        return remote.lfs.sha256 == sha256_of(path)
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return remote.blob_id == blob.hexdigest()
