"""Removes complaints from a published snapshot and from all of its earlier revisions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from huggingface_hub import HfApi, RepoFile
from huggingface_hub.hf_api import DatasetInfo, LFSFileInfo

from training.bundle.hub import CARD_FILE, MADE_BY_THE_HUB, upload
from training.data.dataset import LabelledRow
from training.snapshot.contents import Contents, Pruning
from training.snapshot.publish import PublicationError, answering
from training.snapshot.read import NotASnapshotError, files_of, read_contents, read_part, rows_of
from training.snapshot.write import write_contents

Drop = Callable[[LabelledRow], bool]


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was removed.

    rows: how many complaints the dataset lost; a complaint in several configs counts once. revision: the commit of
    `main` afterwards. erased: how many files of earlier revisions were deleted.
    """

    dataset: str
    rows: int
    revision: str
    erased: int


def prune(
    dataset_id: str,
    *,
    drop: Drop,
    endpoint: str | None,
    token: str | None = None,
    today: date | None = None,
    before_removal: Callable[[int], None] = lambda rows: None,
) -> Pruned:
    """Remove the rows for which `drop` is true from `main`, in one commit, and then delete every earlier revision.

    Pinned revisions, tags and other branches lose their Parquet files. If no revision contains such a row, nothing is
    changed. After a failure, call it again; it then completes the removal.

    before_removal: called with the number of rows before anything is removed, 0 if only earlier revisions have such
        rows, and not called if none has.

    Raises:
        NotASnapshotError: the dataset was not made by `publish_snapshot`; nothing was changed.
        PublicationError: the Hub refused, did not answer, or still has a file that should be deleted.
    """
    api = HfApi(endpoint=endpoint, token=token)
    with answering(dataset_id), TemporaryDirectory() as temporary:
        head = api.dataset_info(dataset_id, files_metadata=True)
        # Listed before the upload, so that files that others upload meanwhile are not deleted.
        stored = list(api.list_lfs_files(dataset_id, repo_type="dataset"))
        folder = Path(temporary, "main")
        contents = _fetched(api, head, folder)
        kept = np.array([not drop(row) for row in contents.data.rows], dtype=np.bool_)
        rows = int((~kept).sum())
        if not rows and not _is_in_history(api, head, _without(stored, head), drop, Path(temporary, "older")):
            return Pruned(dataset=dataset_id, rows=0, revision=head.sha or "", erased=0)
        before_removal(rows)
        if rows:
            pruning = Pruning(today or datetime.now(UTC).date(), rows)
            _commit(api, head, contents.keeping(kept, (*contents.prunings, pruning)), folder, rows)
        erased = _erase_history(api, dataset_id, stored)
        _require_gone(api, head)
        return Pruned(dataset=dataset_id, rows=rows, revision=api.dataset_info(dataset_id).sha or "", erased=erased)


def _fetched(api: HfApi, head: DatasetInfo, folder: Path) -> Contents:
    """Download the revision to `folder`, not to the cache, where removed complaints would stay on this machine.

    Raises:
        NotASnapshotError: the dataset has files that its card does not name; they might contain rows to remove.
    """
    present = {file.rfilename for file in head.siblings or ()} - {MADE_BY_THE_HUB}
    if CARD_FILE in present:
        api.hf_hub_download(head.id, CARD_FILE, repo_type="dataset", revision=head.sha, local_dir=folder)
    files = files_of(folder / CARD_FILE, dataset_id=head.id)
    named = {CARD_FILE} | {path for parts in files.values() for path in parts.values()}
    if present != named:
        differing = ", ".join(sorted(present ^ named))
        raise NotASnapshotError(head.id, f"the files it has and those that its card names differ in {differing}")
    api.snapshot_download(head.id, repo_type="dataset", revision=head.sha, allow_patterns=[*named], local_dir=folder)
    return read_contents(folder, dataset_id=head.id)


def _commit(api: HfApi, head: DatasetInfo, contents: Contents, folder: Path, rows: int) -> None:
    snapshot = write_contents(contents, folder, name=head.id)
    upload(
        api,
        folder,
        repository=head.id,
        repo_type="dataset",
        names=snapshot.names,
        message=f"Prune complaints: {rows}",
        parent=head.sha,
    )


def _is_in_history(api: HfApi, head: DatasetInfo, older: Sequence[LFSFileInfo], drop: Drop, folder: Path) -> bool:
    """Return whether a file outside `main` contains a row to drop, or cannot be read and may therefore contain one."""
    unread = {file.file_oid: file for file in older}
    for revision in _revisions(api, head.id) if unread else ():
        for file in api.list_repo_tree(head.id, repo_type="dataset", recursive=True, revision=revision):
            if isinstance(file, RepoFile) and file.lfs and (read := _taken(unread, file.lfs.sha256)):
                path = api.hf_hub_download(
                    head.id, file.path, repo_type="dataset", revision=revision, local_dir=folder / read.file_oid
                )
                if _may_hold(Path(path), drop, head.id):
                    return True
    return bool(unread)


def _revisions(api: HfApi, dataset_id: str) -> Iterator[str]:
    references = api.list_repo_refs(dataset_id, repo_type="dataset")
    for reference in (*references.branches, *references.tags, *references.converts):
        commits = api.list_repo_commits(dataset_id, repo_type="dataset", revision=reference.target_commit)
        yield from (commit.commit_id for commit in commits)


def _taken(files: dict[str, LFSFileInfo], sha256: str) -> LFSFileInfo | None:
    return next((files.pop(oid) for oid, file in files.items() if sha256 in (oid, file.oid)), None)


def _may_hold(path: Path, drop: Drop, dataset_id: str) -> bool:
    try:
        return any(drop(row) for row in rows_of(read_part(path, dataset_id=dataset_id)))
    except NotASnapshotError:
        return True


def _erase_history(api: HfApi, dataset_id: str, stored: Sequence[LFSFileInfo]) -> int:
    """Squash `main` to one commit, delete the stored files that it does not have, and return their number."""
    message = "Forget what was pruned"
    api.super_squash_history(dataset_id, repo_type="dataset", commit_message=message)
    old = _without(stored, api.dataset_info(dataset_id, files_metadata=True))
    api.permanently_delete_lfs_files(dataset_id, old, repo_type="dataset")
    gone = {file.file_oid for file in old}
    if left := [file for file in api.list_lfs_files(dataset_id, repo_type="dataset") if file.file_oid in gone]:
        raise PublicationError(f"the Hub still lists {len(left)} old files of {dataset_id}: prune it again")
    return len(old)


def _require_gone(api: HfApi, before: DatasetInfo) -> None:
    """Raise PublicationError if files of the earlier revision can still be downloaded."""
    for file in before.siblings or ():
        if file.lfs and api.file_exists(before.id, file.rfilename, repo_type="dataset", revision=before.sha):
            raise PublicationError(f"the Hub still serves the earlier {file.rfilename} of {before.id}: prune it again")


def _without(stored: Sequence[LFSFileInfo], head: DatasetInfo) -> list[LFSFileInfo]:
    """Return the stored files that the revision `head` does not have."""
    current = {file.lfs.sha256 for file in head.siblings or () if file.lfs}
    return [file for file in stored if not current & {file.file_oid, file.oid}]
