"""Complaints are removed from a published snapshot, and from all that was its history."""

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
    """rows: complaints that the dataset lost; one that stands in several configs is one complaint.
    revision: of `main`, as it is now. erased: files of earlier revisions that are gone for good."""

    dataset: str
    rows: int
    revision: str
    erased: int


def prune(
    dataset_id: str, *, drop: Drop, endpoint: str | None, token: str | None = None, today: date | None = None
) -> Pruned:
    """Remove the rows that `drop` chooses from `main`, in one commit, and then every earlier revision.

    Nothing is changed where no revision holds such a row. It may be called again after any failure, and ends what was
    begun. Pinned revisions, tags and other branches lose their Parquet files.

    Raises:
        NotASnapshotError: the dataset is not what `publish_snapshot` made; nothing was changed.
        PublicationError: the Hub refused, did not answer, or still has a file that was to go.
    """
    api = HfApi(endpoint=endpoint, token=token)
    with answering(dataset_id), TemporaryDirectory() as temporary:
        head = api.dataset_info(dataset_id, files_metadata=True)
        # Listed before anything is uploaded: what somebody else sends meanwhile is not ours to erase.
        stored = list(api.list_lfs_files(dataset_id, repo_type="dataset"))
        folder = Path(temporary, "main")
        contents = _fetched(api, head, folder)
        kept = np.array([not drop(row) for row in contents.data.rows], dtype=np.bool_)
        rows = int((~kept).sum())
        if rows:
            pruning = Pruning(today or datetime.now(UTC).date(), rows)
            _commit(api, head, contents.keeping(kept, (*contents.prunings, pruning)), folder, rows)
        elif not _is_in_history(api, head, _without(stored, head), drop, Path(temporary, "older")):
            return Pruned(dataset=dataset_id, rows=0, revision=head.sha or "", erased=0)
        erased = _erase_history(api, dataset_id, stored)
        _require_gone(api, head)
        return Pruned(dataset=dataset_id, rows=rows, revision=api.dataset_info(dataset_id).sha or "", erased=erased)


def _fetched(api: HfApi, head: DatasetInfo, folder: Path) -> Contents:
    """Into a folder of its own, not the cache: what is removed must not stay behind on this machine.

    Raises:
        NotASnapshotError: the dataset holds what its card does not name; rows might be in there.
    """
    present = {file.rfilename for file in head.siblings or ()} - {MADE_BY_THE_HUB}
    if CARD_FILE in present:
        api.hf_hub_download(head.id, CARD_FILE, repo_type="dataset", revision=head.sha, local_dir=folder)
    files = files_of(folder / CARD_FILE, dataset_id=head.id)
    named = {CARD_FILE} | {path for parts in files.values() for path in parts.values()}
    if present != named:
        differing = ", ".join(sorted(present ^ named))
        raise NotASnapshotError(head.id, f"the files it holds and those that its card names differ in {differing}")
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
    """Whether a file that `main` no longer has holds a row to drop, or may hold one because it cannot be read."""
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
    """Make one commit of `main`, and erase those of the stored files that it does not have; says how many they were."""
    message = "Forget what was pruned"
    api.super_squash_history(dataset_id, repo_type="dataset", commit_message=message)
    old = _without(stored, api.dataset_info(dataset_id, files_metadata=True))
    api.permanently_delete_lfs_files(dataset_id, old, repo_type="dataset")
    gone = {file.file_oid for file in old}
    if left := [file for file in api.list_lfs_files(dataset_id, repo_type="dataset") if file.file_oid in gone]:
        raise PublicationError(f"the Hub still lists {len(left)} old files of {dataset_id}: prune it again")
    return len(old)


def _require_gone(api: HfApi, before: DatasetInfo) -> None:
    """Raises: PublicationError, where the revision of which rows were to go can still be fetched."""
    for file in before.siblings or ():
        if file.lfs and api.file_exists(before.id, file.rfilename, repo_type="dataset", revision=before.sha):
            raise PublicationError(f"the Hub still hands out {file.rfilename} of {before.id} as it was: prune it again")


def _without(stored: Sequence[LFSFileInfo], head: DatasetInfo) -> list[LFSFileInfo]:
    """Those that the revision `head` does not have."""
    current = {file.lfs.sha256 for file in head.siblings or () if file.lfs}
    return [file for file in stored if not current & {file.file_oid, file.oid}]
