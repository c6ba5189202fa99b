import http.client
import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile, RepoFolder
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

# The client itself uploads large files in a way that its HTTP library has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")

WEIGHTS = bytes(range(256)) * 5_000
"""1.28 MB: more than the client sends inside a commit."""
DIGEST = sha256(WEIGHTS).hexdigest()
CARD = b"---\nlicense: apache-2.0\n---\n# Complaints\n"


def an_artefact(folder: Path, *, version: int = 1) -> Path:
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_bytes(CARD)
    (folder / "config.json").write_text(json.dumps({"version": version}))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "onnx" / "model.onnx").write_bytes(b"small, but binary")
    return folder


def add(hub: HfApi, repository: str, path: str, content: bytes = b"{}", **options: Any) -> str:
    operation = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
    commit = hub.create_commit(repository, [operation], commit_message=f"add {path}", **options)
    return str(commit.oid)


def send(endpoint: str, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """Send a request with its path unchanged, which most HTTP clients would normalise."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    try:
        connection.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def files(folder: Path | str) -> dict[str, bytes]:
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_folder_comes_back_as_it_was_uploaded(hub: HfApi, repository: str, tmp_path: Path) -> None:
    artefact = an_artefact(tmp_path / "artefact")
    hub.upload_folder(repo_id=repository, folder_path=artefact)
    downloaded = files(hub.snapshot_download(repository, cache_dir=tmp_path / "cache"))
    del downloaded[".gitattributes"]
    assert downloaded == files(artefact)


def test_a_tag_and_a_commit_keep_their_files_while_main_moves_on(hub: HfApi, repository: str, tmp_path: Path) -> None:
    first = hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path / "1")).oid
    hub.create_tag(repository, tag="v1.0")
    second = hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path / "2", version=2)).oid
    snapshots = {
        revision: Path(hub.snapshot_download(repository, revision=revision, cache_dir=tmp_path / "cache" / revision))
        for revision in (first, "v1.0", "main")
    }
    versions = {name: json.loads((path / "config.json").read_text())["version"] for name, path in snapshots.items()}
    assert versions == {first: 1, "v1.0": 1, "main": 2}
    assert {name: path.name for name, path in snapshots.items()} == {first: first, "v1.0": first, "main": second}


def test_patterns_limit_what_is_downloaded(hub: HfApi, repository: str, tmp_path: Path) -> None:
    hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path / "artefact"))
    snapshot = hub.snapshot_download(repository, allow_patterns=["*.json", "onnx/*"], cache_dir=tmp_path / "cache")
    assert set(files(snapshot)) == {"config.json", "onnx/model.onnx"}


def test_model_info_gives_the_digest_of_large_files_alone(hub: HfApi, repository: str, tmp_path: Path) -> None:
    hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path))
    siblings = {file.rfilename: file for file in hub.model_info(repository, files_metadata=True).siblings or []}
    weights, config = siblings["model.safetensors"], siblings["config.json"]
    assert weights.lfs is not None
    assert (weights.size, weights.lfs.size, weights.lfs.sha256) == (len(WEIGHTS), len(WEIGHTS), DIGEST)
    assert (config.size, config.lfs) == (14, None)


def test_commits_are_listed_from_the_newest(hub: HfApi, repository: str) -> None:
    first, second = add(hub, repository, "a.json"), add(hub, repository, "b.json", commit_description="why")
    newest, older, initial = hub.list_repo_commits(repository)
    assert [newest.commit_id, older.commit_id] == [second, first]
    assert (newest.title, newest.message, initial.title) == ("add b.json", "why", "initial commit")
    assert len(first) == 40 and int(first, base=16)


def test_a_tag_stays_with_its_commit_until_it_is_deleted(hub: HfApi, repository: str) -> None:
    tagged = add(hub, repository, "a.json")
    hub.create_tag(repository, tag="v1")
    add(hub, repository, "b.json")
    with pytest.raises(HfHubHTTPError, match="a tag v1 already"):
        hub.create_tag(repository, tag="v1")
    hub.create_tag(repository, tag="v1", exist_ok=True)
    assert [(tag.name, tag.target_commit) for tag in hub.list_repo_refs(repository).tags] == [("v1", tagged)]
    hub.delete_tag(repository, tag="v1")
    assert not hub.list_repo_refs(repository).tags
    with pytest.raises(RevisionNotFoundError):
        hub.delete_tag(repository, tag="v1")


def test_a_tag_that_would_be_taken_for_a_commit_is_refused(hub: HfApi, repository: str) -> None:
    with pytest.raises(HfHubHTTPError, match="taken for a commit"):
        hub.create_tag(repository, tag="ab" * 20)


def test_a_branch_grows_apart_from_main(hub: HfApi, repository: str) -> None:
    hub.create_branch(repository, branch="feature/x")
    head = add(hub, repository, "x.json", revision="feature/x")
    assert "x.json" in hub.list_repo_files(repository, revision="feature/x")
    assert "x.json" not in hub.list_repo_files(repository)
    branches = {branch.name: branch.target_commit for branch in hub.list_repo_refs(repository).branches}
    assert branches.keys() == {"main", "feature/x"} and branches["feature/x"] == head
    hub.delete_branch(repository, branch="feature/x")
    with pytest.raises(RevisionNotFoundError):
        hub.model_info(repository, revision="feature/x")


def test_a_branch_that_exists_is_not_moved(hub: HfApi, repository: str) -> None:
    hub.create_branch(repository, branch="x")
    head = add(hub, repository, "x.json", revision="x")
    with pytest.raises(HfHubHTTPError, match="a branch x already"):
        hub.create_branch(repository, branch="x")
    assert hub.model_info(repository, revision="x").sha == head


def test_a_tag_takes_no_commits(hub: HfApi, repository: str) -> None:
    hub.create_tag(repository, tag="v1")
    with pytest.raises(RevisionNotFoundError, match="no branch v1"):
        add(hub, repository, "a.json", revision="v1")
    assert hub.list_repo_files(repository, revision="v1") == [".gitattributes"]


def test_main_cannot_be_deleted(hub: HfApi, repository: str) -> None:
    with pytest.raises(HfHubHTTPError, match="main cannot be deleted"):
        hub.delete_branch(repository, branch="main")


def test_a_missing_repository_is_named_as_such(hub: HfApi, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        hub.model_info("acme/nowhere")
    with pytest.raises(RepositoryNotFoundError):
        hub.snapshot_download("acme/nowhere", cache_dir=tmp_path)
    with pytest.raises(RepositoryNotFoundError):
        hub.upload_file(repo_id="acme/nowhere", path_or_fileobj=WEIGHTS, path_in_repo="model.safetensors")


@pytest.mark.parametrize("revision", ["v9", "feature/gone", "0" * 40])
def test_a_missing_revision_is_named_as_such(hub: HfApi, repository: str, revision: str, tmp_path: Path) -> None:
    with pytest.raises(RevisionNotFoundError):
        hub.model_info(repository, revision=revision)
    with pytest.raises(RevisionNotFoundError):
        hub.hf_hub_download(repository, ".gitattributes", revision=revision, cache_dir=tmp_path)


@pytest.mark.parametrize("path", ["config.json", "größe/模型.json"])
def test_a_missing_file_is_named_as_such(hub: HfApi, repository: str, path: str, tmp_path: Path) -> None:
    with pytest.raises(EntryNotFoundError):
        hub.hf_hub_download(repository, path, cache_dir=tmp_path)
    assert not hub.file_exists(repository, path)


def test_a_path_may_hold_any_letters(hub: HfApi, repository: str, tmp_path: Path) -> None:
    add(hub, repository, "größe/模型 50%.json", b"[1]")
    assert hub.list_repo_files(repository) == [".gitattributes", "größe/模型 50%.json"]
    assert Path(hub.hf_hub_download(repository, "größe/模型 50%.json", cache_dir=tmp_path)).read_bytes() == b"[1]"


def test_a_commit_on_a_stale_parent_is_refused_and_changes_nothing(hub: HfApi, repository: str) -> None:
    stale = hub.model_info(repository).sha
    head = add(hub, repository, "a.json", parent_commit=stale)
    with pytest.raises(HfHubHTTPError) as refusal:
        add(hub, repository, "b.json", parent_commit=stale)
    assert refusal.value.response.status_code == 412
    assert hub.model_info(repository).sha == head
    assert add(hub, repository, "b.json", parent_commit=head[:7]) == hub.model_info(repository).sha


def test_uploading_the_same_content_again_makes_no_commit(hub: HfApi, repository: str, tmp_path: Path) -> None:
    artefact = an_artefact(tmp_path)
    first = hub.upload_folder(repo_id=repository, folder_path=artefact).oid
    assert hub.upload_folder(repo_id=repository, folder_path=artefact).oid == first
    assert len(hub.list_repo_commits(repository)) == 2


def test_a_large_file_is_asked_for_once(hub: HfApi, endpoint: str, repository: str) -> None:
    content = WEIGHTS + repository.encode()
    wanted = {"oid": sha256(content).hexdigest(), "size": len(content)}

    def offered() -> dict[str, Any]:
        _, answer = send(endpoint, "POST", f"/{repository}.git/info/lfs/objects/batch", {"objects": [wanted]})
        offer: dict[str, Any] = json.loads(answer)["objects"][0]
        return offer

    assert offered()["actions"].keys() == {"upload", "verify"}
    add(hub, repository, "model.safetensors", content)
    assert offered() == wanted


def test_an_upload_that_is_not_what_it_promised_leaves_nothing(endpoint: str, root: Path, repository: str) -> None:
    promised = sha256(b"never sent").hexdigest()
    announced = {"objects": [{"oid": promised, "size": 10}]}
    send(endpoint, "POST", f"/{repository}.git/info/lfs/objects/batch", announced)
    before = files(root).keys()
    status, answer = send(endpoint, "PUT", f"/lfs/{promised}", b"something else")
    assert (status, b"has the digest" in answer) == (400, True)
    assert files(root).keys() == before
    status, _ = send(endpoint, "POST", f"/lfs/{promised}/verify", {"oid": promised, "size": 10})
    assert status == 404


def test_a_commit_of_a_large_file_that_was_not_uploaded_is_refused(hub: HfApi, endpoint: str, repository: str) -> None:
    lines = [
        {"key": "header", "value": {"summary": "add weights"}},
        {"key": "lfsFile", "value": {"path": "model.onnx", "oid": "0" * 64, "algo": "sha256", "size": 1}},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert send(endpoint, "POST", f"/api/models/{repository}/commit/main", body)[0] == 400
    assert len(hub.list_repo_commits(repository)) == 1


def test_concurrent_commits_all_survive(hub: HfApi, repository: str) -> None:
    paths = [f"{number}.json" for number in range(12)]
    with ThreadPoolExecutor(max_workers=6) as pool:
        made = set(pool.map(lambda path: add(hub, repository, path), paths))
    assert {commit.commit_id for commit in hub.list_repo_commits(repository)} > made
    assert len(made) == len(paths)
    assert set(hub.list_repo_files(repository)) == {".gitattributes", *paths}


def test_files_and_folders_can_be_deleted(hub: HfApi, repository: str, tmp_path: Path) -> None:
    hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path))
    deletions = [CommitOperationDelete("config.json"), CommitOperationDelete("onnx/")]
    hub.create_commit(repository, deletions, commit_message="tidy")
    assert hub.list_repo_files(repository) == [".gitattributes", "README.md", "model.safetensors"]
    for gone in deletions:
        with pytest.raises(EntryNotFoundError):
            hub.create_commit(repository, [gone], commit_message="tidy again")


def test_a_tree_is_listed_level_by_level_or_whole(hub: HfApi, repository: str, tmp_path: Path) -> None:
    hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path))
    top = {".gitattributes", "README.md", "config.json", "model.safetensors", "onnx"}
    assert {item.path for item in hub.list_repo_tree(repository)} == top
    assert {item.path for item in hub.list_repo_tree(repository, recursive=True)} == top | {"onnx/model.onnx"}
    assert [item.path for item in hub.list_repo_tree(repository, "onnx")] == ["onnx/model.onnx"]
    with pytest.raises(EntryNotFoundError):
        list(hub.list_repo_tree(repository, "torch"))


def test_paths_are_described_if_they_exist(hub: HfApi, repository: str, tmp_path: Path) -> None:
    hub.upload_folder(repo_id=repository, folder_path=an_artefact(tmp_path))
    weights, folder = hub.get_paths_info(repository, ["model.safetensors", "onnx", "nowhere.json"])
    assert isinstance(weights, RepoFile) and weights.lfs is not None and weights.lfs.sha256 == DIGEST
    assert isinstance(folder, RepoFolder) and folder.path == "onnx"


def test_a_repository_is_created_once(hub: HfApi, repository: str) -> None:
    head = add(hub, repository, "a.json")
    with pytest.raises(HfHubHTTPError, match="exists already"):
        hub.create_repo(repository)
    assert hub.create_repo(repository, exist_ok=True).repo_id == repository
    assert hub.model_info(repository).sha == head


def test_a_repository_without_an_owner_belongs_to_the_account(hub: HfApi) -> None:
    owner = hub.whoami(token="any")["name"]
    assert hub.create_repo("unowned").repo_id == f"{owner}/unowned"


def test_a_deleted_repository_is_gone_and_its_namesake_is_not(hub: HfApi, repository: str) -> None:
    hub.create_repo(repository, repo_type="dataset")
    hub.delete_repo(repository)
    assert not hub.repo_exists(repository)
    with pytest.raises(RepositoryNotFoundError):
        hub.delete_repo(repository)
    assert hub.dataset_info(repository).id == repository


def test_a_dataset_comes_back_as_it_was_uploaded(hub: HfApi, repository: str, tmp_path: Path) -> None:
    hub.create_repo(repository, repo_type="dataset")
    hub.upload_file(
        repo_id=repository, repo_type="dataset", path_in_repo="train.parquet", path_or_fileobj=WEIGHTS[::-1]
    )
    path = hub.hf_hub_download(repository, "train.parquet", repo_type="dataset", cache_dir=tmp_path)
    assert Path(path).read_bytes() == WEIGHTS[::-1]


def test_repositories_are_listed_by_author_and_search(hub: HfApi, repository: str) -> None:
    other = hub.create_repo(f"other/{repository.removeprefix('acme/')}").repo_id
    unique = repository.removeprefix("acme/model-")
    assert {model.id for model in hub.list_models(search=unique.upper())} == {repository, other}
    assert {model.id for model in hub.list_models(search=unique, author="other")} == {other}
    assert not list(hub.list_datasets(search=unique))


def test_a_listing_ends_at_its_limit(endpoint: str, hub: HfApi, repository: str) -> None:
    hub.create_repo(f"{repository}-2")
    # The client would itself cut a listing that is too long.
    _, answer = send(endpoint, "GET", f"/api/models?search={repository}&limit=1")
    assert [model["id"] for model in json.loads(answer)] == [repository]
    assert send(endpoint, "GET", "/api/models?limit=all")[0] == 400


def test_a_listing_by_what_is_not_kept_is_refused_rather_than_unfiltered(hub: HfApi) -> None:
    with pytest.raises(HfHubHTTPError, match="gated"):
        list(hub.list_models(gated=True))


def test_visibility_is_recorded(hub: HfApi, repository: str) -> None:
    assert hub.model_info(repository).private is False
    hub.update_repo_settings(repository, private=True)
    assert hub.model_info(repository).private is True


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/models/../.."),
        ("GET", "/api/models/..%2F..%2Fetc/passwd"),
        ("GET", "/api/models/acme/..%2Fsecret"),
        ("GET", "/api/models/{repository}/revision/..%2F..%2Fx"),
        ("GET", "/api/models/{repository}/tree/main/../.."),
        ("GET", "/api/spaces/{repository}"),
        ("GET", "/{repository}/resolve/main/../../../etc/passwd"),
        ("GET", "/{repository}/resolve/main/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "/{repository}/resolve/main//etc/passwd"),
        ("GET", "/../../resolve/main/x"),
        ("PUT", "/lfs/..%2F..%2Fx"),
        ("POST", "/api/models/{repository}/branch/..%2F..%2Fx"),
    ],
)
def test_an_address_that_leads_out_of_its_repository_is_refused(
    endpoint: str, repository: str, method: str, path: str
) -> None:
    assert send(endpoint, method, path.format(repository=repository))[0] == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/repos/create", {"name": "x", "organization": ".."}),
        ("/api/repos/create", {"name": "x", "organization": "/tmp"}),
        ("/api/repos/create", {"name": "../../x"}),
        ("/api/repos/create", {"name": "x/y"}),
        ("/api/repos/create", {"name": "x.git"}),
        ("/api/models/{repository}/tag/main", {"tag": "../../x"}),
        ("/api/models/{repository}/preupload/main", {"files": [{"path": "../x", "size": 1}]}),
        ("/{repository}.git/info/lfs/objects/batch", {"objects": [{"oid": "../../x", "size": 1}]}),
    ],
)
def test_a_body_that_names_what_lies_outside_is_refused(
    endpoint: str, root: Path, repository: str, path: str, body: Any
) -> None:
    assert send(endpoint, "POST", path.format(repository=repository), body)[0] == 400
    assert list(root.parent.iterdir()) == [root]


@pytest.mark.parametrize("path", ["../evil", "/evil", "a/../../evil", "a//b", "..\\evil", ""])
@pytest.mark.parametrize("operation", ["file", "lfsFile", "deletedFile", "deletedFolder"])
def test_a_commit_outside_its_repository_is_refused(
    hub: HfApi, endpoint: str, repository: str, operation: str, path: str
) -> None:
    value = {"path": path, "content": "", "oid": DIGEST}
    lines = [{"key": "header", "value": {"summary": "escape"}}, {"key": operation, "value": value}]
    status, _ = send(
        endpoint, "POST", f"/api/models/{repository}/commit/main", "\n".join(map(json.dumps, lines)).encode()
    )
    assert (status, len(hub.list_repo_commits(repository))) == (400, 1)


@pytest.mark.system
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_everything_is_there_after_the_server_was_ended(
    serve: Callable[[Path, signal.Signals], AbstractContextManager[HfApi]], tmp_path: Path, end: signal.Signals
) -> None:
    artefact = an_artefact(tmp_path / "artefact")
    with serve(tmp_path / "root", end) as hub:
        hub.create_repo("acme/kept")
        head = hub.upload_folder(repo_id="acme/kept", folder_path=artefact).oid
        hub.create_tag("acme/kept", tag="v1")
    with serve(tmp_path / "root", end) as hub:
        snapshot = Path(hub.snapshot_download("acme/kept", revision="v1", cache_dir=tmp_path / "cache"))
        commits = [commit.commit_id for commit in hub.list_repo_commits("acme/kept")]
    assert files(artefact).items() <= files(snapshot).items()
    assert (snapshot.name, commits[0], len(commits)) == (head, head, 2)


@pytest.mark.system
def test_the_server_listens_on_loopback_alone(
    serve: Callable[[Path, signal.Signals], AbstractContextManager[HfApi]], tmp_path: Path
) -> None:
    with serve(tmp_path, signal.SIGKILL) as hub, pytest.raises(OSError):
        # All of 127.0.0.0/8 would reach a server that listened everywhere.
        socket.create_connection(("127.0.0.2", urlsplit(hub.endpoint).port or 0), timeout=1).close()
