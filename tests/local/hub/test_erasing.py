"""Erased files cannot be downloaded. They stay on disk only if another repository shares them."""

from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")


def anything(suffix: str = "") -> bytes:
    """Content that no other test uploads."""
    return (uuid4().hex + suffix).encode()


def add(hub: HfApi, repository: str, path: str, content: bytes) -> str:
    operation = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
    return str(hub.create_commit(repository, [operation], commit_message=f"add {path}").oid)


def is_on_disk(root: Path, content: bytes) -> bool:
    return any(path.read_bytes() == content for path in root.rglob("*") if path.is_file())


def large_files(hub: HfApi, repository: str) -> dict[str, str]:
    return {file.filename: file.file_oid for file in hub.list_lfs_files(repository)}


def erase(hub: HfApi, repository: str, *contents: bytes) -> None:
    wanted = {sha256(content).hexdigest() for content in contents}
    hub.permanently_delete_lfs_files(
        repository, [file for file in hub.list_lfs_files(repository) if file.file_oid in wanted]
    )


def test_a_squashed_branch_is_one_commit_with_the_same_files(hub: HfApi, repository: str, tmp_path: Path) -> None:
    old = add(hub, repository, "a.json", b"[1]")
    add(hub, repository, "a.json", b"[2]")
    hub.super_squash_history(repository, commit_message="Start anew")
    (only,) = hub.list_repo_commits(repository)
    assert (only.title, hub.model_info(repository).sha) == ("Start anew", only.commit_id)
    assert Path(hub.hf_hub_download(repository, "a.json", cache_dir=tmp_path)).read_bytes() == b"[2]"
    with pytest.raises(RevisionNotFoundError):
        hub.hf_hub_download(repository, "a.json", revision=old, cache_dir=tmp_path / "old")


def test_a_squash_leaves_what_tags_and_other_branches_lead_to(hub: HfApi, repository: str) -> None:
    tagged = add(hub, repository, "a.json", b"[1]")
    hub.create_tag(repository, tag="v1")
    branched = add(hub, repository, "a.json", b"[2]")
    hub.create_branch(repository, branch="x")
    add(hub, repository, "a.json", b"[3]")
    hub.super_squash_history(repository)
    assert [hub.model_info(repository, revision=name).sha for name in ("v1", "x")] == [tagged, branched]
    assert len(hub.list_repo_commits(repository, revision="x")) == 3


def test_only_branches_can_be_squashed(hub: HfApi, repository: str) -> None:
    hub.create_tag(repository, tag="v1")
    for name in ("v1", "gone"):
        with pytest.raises(RevisionNotFoundError):
            hub.super_squash_history(repository, branch=name)


def test_a_squash_takes_small_files_off_the_disk_and_keeps_large_ones(hub: HfApi, repository: str, root: Path) -> None:
    small, large = anything(), anything()
    add(hub, repository, "a.json", small)
    add(hub, repository, "a.onnx", large)
    hub.create_commit(
        repository, [CommitOperationDelete("a.json"), CommitOperationDelete("a.onnx")], commit_message="tidy"
    )
    assert is_on_disk(root, small)
    hub.super_squash_history(repository)
    assert (is_on_disk(root, small), is_on_disk(root, large)) == (False, True)
    assert large_files(hub, repository) == {"a.onnx": sha256(large).hexdigest()}


def test_large_files_of_every_commit_are_listed(hub: HfApi, repository: str) -> None:
    first, second = anything(), anything("longer")
    add(hub, repository, "a.onnx", first)
    add(hub, repository, "a.onnx", second)
    add(hub, repository, "small.json", b"{}")
    listed = {file.file_oid: (file.filename, file.size) for file in hub.list_lfs_files(repository)}
    assert listed == {sha256(content).hexdigest(): ("a.onnx", len(content)) for content in (first, second)}


def test_an_erased_file_is_gone_from_every_revision_and_from_disk(
    hub: HfApi, repository: str, root: Path, tmp_path: Path
) -> None:
    old, new = anything(), anything()
    before = add(hub, repository, "a.onnx", old)
    hub.create_tag(repository, tag="v1")
    add(hub, repository, "a.onnx", new)
    erase(hub, repository, old)
    with pytest.raises(EntryNotFoundError):
        hub.hf_hub_download(repository, "a.onnx", revision="v1", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        hub.hf_hub_download(repository, "a.onnx", revision=before, cache_dir=tmp_path)
    assert Path(hub.hf_hub_download(repository, "a.onnx", cache_dir=tmp_path)).read_bytes() == new
    assert (is_on_disk(root, old), is_on_disk(root, new)) == (False, True)
    assert [commit.title for commit in hub.list_repo_commits(repository)] == ["add a.onnx"] * 2 + ["initial commit"]


def test_a_squashed_history_leaves_files_that_can_be_erased(hub: HfApi, repository: str, root: Path) -> None:
    old, new = anything(), anything()
    add(hub, repository, "a.onnx", old)
    add(hub, repository, "a.onnx", new)
    for _ in range(2):
        hub.super_squash_history(repository)
    assert is_on_disk(root, old)
    erase(hub, repository, old)
    assert not is_on_disk(root, old)
    assert large_files(hub, repository) == {"a.onnx": sha256(new).hexdigest()}


def test_a_file_that_another_repository_holds_stays_until_it_is_erased_there(
    hub: HfApi, repository: str, root: Path
) -> None:
    shared = anything()
    other = hub.create_repo(f"{repository}-2").repo_id
    for name in (repository, other):
        add(hub, name, "a.onnx", shared)
    erase(hub, repository, shared)
    assert large_files(hub, repository) == {} and is_on_disk(root, shared)
    erase(hub, other, shared)
    assert not is_on_disk(root, shared)


def test_what_was_erased_can_be_uploaded_again(hub: HfApi, repository: str, tmp_path: Path) -> None:
    content = anything()
    add(hub, repository, "a.onnx", content)
    erase(hub, repository, content)
    add(hub, repository, "a.onnx", content)
    assert Path(hub.hf_hub_download(repository, "a.onnx", cache_dir=tmp_path)).read_bytes() == content


def test_a_file_that_is_not_in_the_repository_is_not_erased(hub: HfApi, repository: str) -> None:
    other = hub.create_repo(f"{repository}-2").repo_id
    add(hub, other, "a.onnx", anything())
    with pytest.raises(HfHubHTTPError, match="has no LFS object"):
        hub.permanently_delete_lfs_files(repository, list(hub.list_lfs_files(other)))
    assert large_files(hub, other)


def test_files_are_not_erased_from_under_their_commits(hub: HfApi, repository: str) -> None:
    add(hub, repository, "a.onnx", anything())
    with pytest.raises(HfHubHTTPError, match="rewriteHistory"):
        hub.permanently_delete_lfs_files(repository, list(hub.list_lfs_files(repository)), rewrite_history=False)


def test_nothing_is_erased_in_a_repository_that_is_not_there(hub: HfApi) -> None:
    with pytest.raises(RepositoryNotFoundError):
        list(hub.list_lfs_files("acme/nowhere"))
    with pytest.raises(RepositoryNotFoundError):
        hub.super_squash_history("acme/nowhere")


def test_a_deleted_repository_leaves_on_disk_what_another_shares(hub: HfApi, repository: str, root: Path) -> None:
    own, shared = anything(), anything()
    other = hub.create_repo(f"{repository}-2").repo_id
    add(hub, repository, "own.onnx", own)
    for name in (repository, other):
        add(hub, name, "shared.onnx", shared)
    hub.delete_repo(repository)
    assert (is_on_disk(root, own), is_on_disk(root, shared)) == (False, True)
