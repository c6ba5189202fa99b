"""Removes complaints from a published snapshot, and checks what is left of it."""

import csv
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from zlib import crc32

import pyarrow.parquet
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetCard, HfApi, constants
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

from tests.hub import served
from tests.training.data.exports import any_export
from training.bundle.hub import CARD_FILE
from training.data.dataset import load_labelled
from training.data.sources import merge
from training.data.splits import PARTS
from training.snapshot import (
    NotASnapshotError,
    PublicationError,
    Terms,
    describe,
    prune,
    publish_snapshot,
    published,
    splits_of,
    stated_tags,
    write_snapshot,
)
from training.snapshot.contents import SCHEMA
from training.snapshot.read import read_contents
from training.snapshot.write import write_contents

DAY = date(2026, 11, 23)

LOAD = """
import json, sys
from datasets import load_dataset
name, *configs = sys.argv[1:]
loaded = {config: load_dataset(name, config) for config in configs}
print(json.dumps({config: {split: part.to_list() for split, part in data.items()}
    for config, data in loaded.items()}, default=str))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The folder in which the Hub keeps its files."""
    return tmp_path_factory.mktemp("pruned")


@pytest.fixture(scope="module")
def endpoint(root):
    with served(root) as address:
        yield address


@pytest.fixture
def api(endpoint):
    return HfApi(endpoint=endpoint)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return a function that writes a snapshot with narratives of its own, so that it shares no file."""
    folder = tmp_path_factory.mktemp("own")
    export = any_export(folder)
    data, tags = load_labelled(export), stated_tags(export)

    def written(name):
        (folder / name).mkdir()
        return write_snapshot(
            data,
            folder / name,
            name=f"bank/{name}",
            splits=splits_of(data, test_from=None, seed=0),
            tags=tags,
            redact=lambda narrative: f"{narrative} {name}",
            terms=Terms(licence="other", language="en", redaction="rules-7"),
        )

    return written


@pytest.fixture
def snapshot(own, request):
    return own(request.node.originalname)


@pytest.fixture
def dataset_id(request, endpoint, snapshot):
    """The id of a repository with the published snapshot."""
    name = f"bank/{request.node.originalname}"
    publish_snapshot(snapshot, dataset_id=name, endpoint=endpoint)
    return name


def rows_in(folder):
    """Return the rows in a snapshot's folder, by config and part."""
    return {
        (file.parent.name, file.stem): pyarrow.parquet.ParquetFile(file).read().to_pylist()
        for file in sorted(folder.glob("data/*/*.parquet"))
    }


def fetched(api, dataset_id, folder):
    return Path(api.snapshot_download(dataset_id, repo_type="dataset", local_dir=folder))


def load(dataset_id, endpoint, cache, *configs):
    """Return the rows that `load_dataset` reads, by config and split."""
    # In a process of its own: datasets reads the address of the Hub when it is imported.
    run = subprocess.run(
        [sys.executable, "-c", LOAD, dataset_id, *configs],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def without(rows, *ids):
    return {part: [row for row in of_part if row["complaint_id"] not in ids] for part, of_part in rows.items()}


def everybody(rows):
    return {row["complaint_id"]: row for of_part in rows.values() for row in of_part}


def chosen(*ids):
    return lambda row: row.complaint_id in ids


def somebody(snapshot):
    """Return the id of a complaint that is in both configs."""
    return rows_in(snapshot.folder)["time", "test"][0]["complaint_id"]


def narratives_on_disk(root):
    """Return the narratives in every Parquet file of a folder, whatever its name."""
    found = set()
    for path in root.rglob("*"):
        if path.is_file() and path.read_bytes()[:4] == b"PAR1":
            found |= set(pyarrow.parquet.ParquetFile(path).read()["narrative"].to_pylist())
    return found


def bytes_on_disk(root):
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_a_complaint_is_removed_and_the_others_stay_as_they_were(api, endpoint, dataset_id, snapshot, tmp_path):
    gone = somebody(snapshot)
    pruned = prune(dataset_id, drop=chosen(gone), endpoint=endpoint, today=DAY)
    left = fetched(api, dataset_id, tmp_path)
    assert rows_in(left) == without(rows_in(snapshot.folder), gone)
    assert (pruned.dataset, pruned.rows) == (dataset_id, 1)
    assert pruned.revision == api.dataset_info(dataset_id).sha


def test_nothing_of_it_is_left_on_the_hub(endpoint, dataset_id, snapshot, root):
    gone = somebody(snapshot)
    rows = everybody(rows_in(snapshot.folder))
    other = next(row["narrative"] for row in rows.values() if row["complaint_id"] != gone)
    narrative = rows[gone]["narrative"]
    assert {narrative, other} <= narratives_on_disk(root)
    prune(dataset_id, drop=chosen(gone), endpoint=endpoint)
    held = narratives_on_disk(root)
    assert narrative not in held and other in held
    assert narrative.encode() not in bytes_on_disk(root)
    assert json.dumps(gone).encode() not in bytes_on_disk(root)


def test_earlier_revisions_tags_and_branches_lose_their_files(api, endpoint, dataset_id, snapshot, tmp_path):
    before = api.dataset_info(dataset_id).sha
    api.create_tag(dataset_id, tag="v1", repo_type="dataset")
    api.create_branch(dataset_id, branch="x", repo_type="dataset")
    prune(dataset_id, drop=chosen(somebody(snapshot)), endpoint=endpoint)
    path = "data/time/test.parquet"
    for revision, error in ((before, RevisionNotFoundError), ("v1", EntryNotFoundError), ("x", EntryNotFoundError)):
        with pytest.raises(error):
            api.hf_hub_download(dataset_id, path, repo_type="dataset", revision=revision, cache_dir=tmp_path)
    assert len(api.list_repo_commits(dataset_id, repo_type="dataset")) == 1


def test_load_dataset_reads_only_the_rows_that_are_left(endpoint, dataset_id, snapshot, tmp_path):
    gone = somebody(snapshot)
    prune(dataset_id, drop=chosen(gone), endpoint=endpoint)
    loaded = load(dataset_id, endpoint, tmp_path, *snapshot.configs)
    expected = without(rows_in(snapshot.folder), gone)
    parts = {config: {part: expected[config, part] for part in PARTS} for config in snapshot.configs}
    assert loaded == json.loads(json.dumps(parts, default=str))


def test_the_card_states_how_many_rows_are_left_and_were_removed(api, endpoint, dataset_id, snapshot, tmp_path):
    gone = [row["complaint_id"] for row in rows_in(snapshot.folder)["time", "test"][:2]]
    prune(dataset_id, drop=chosen(*gone), endpoint=endpoint, today=DAY)
    card = DatasetCard.load(fetched(api, dataset_id, tmp_path) / CARD_FILE)
    assert card.data.complaints_triage["prunings"] == [{"day": "2026-11-23", "rows": 2}]
    assert "2 on 2026-11-23" in card.text and "118 complaints to banks" in card.text
    told = describe(dataset_id, endpoint=endpoint).rows
    left = rows_in(tmp_path)
    assert told == {config: {part: len(left[config, part]) for part in PARTS} for config in snapshot.configs}
    assert not any(complaint_id in str(card) for complaint_id in gone)


@pytest.mark.parametrize("config", ["time", "grouped"])
def test_the_fingerprints_are_those_of_what_is_left(api, endpoint, own, config, tmp_path):
    name = f"bank/fingerprint-{config}"
    snapshot = own(name.partition("/")[2])
    publish_snapshot(snapshot, dataset_id=name, endpoint=endpoint)
    prune(name, drop=chosen(somebody(snapshot)), endpoint=endpoint)
    left = fetched(api, name, tmp_path)
    merge({part: [left / f"data/{config}/{part}.parquet"] for part in PARTS}, tmp_path / "all.parquet")
    origin = DatasetCard.load(left / CARD_FILE).data.complaints_triage
    assert load_labelled(tmp_path / "all.parquet").fingerprint == origin["fingerprints"][config]
    assert origin["fingerprints"][config] != snapshot.fingerprints[config]
    assert origin["source_fingerprint"] == snapshot.source_fingerprint


def test_removing_nothing_changes_nothing(api, endpoint, dataset_id):
    before = api.list_repo_commits(dataset_id, repo_type="dataset")
    pruned = prune(dataset_id, drop=chosen("nobody"), endpoint=endpoint)
    assert (pruned.rows, pruned.erased, pruned.revision) == (0, 0, before[0].commit_id)
    assert api.list_repo_commits(dataset_id, repo_type="dataset") == before


def test_prunings_add_up(api, endpoint, dataset_id, snapshot, tmp_path):
    first, second = (row["complaint_id"] for row in rows_in(snapshot.folder)["time", "test"][:2])
    prune(dataset_id, drop=chosen(first), endpoint=endpoint, today=DAY)
    pruned = prune(dataset_id, drop=chosen(first, second), endpoint=endpoint, today=date(2026, 12, 1))
    card = DatasetCard.load(fetched(api, dataset_id, tmp_path) / CARD_FILE)
    assert pruned.rows == 1 and "1 on 2026-11-23, 1 on 2026-12-01" in card.text


def test_what_is_only_in_an_earlier_revision_is_removed_from_there(api, endpoint, dataset_id, snapshot, own, root):
    """This happens if the complaint was removed from the export, and the export published again."""
    gone = somebody(snapshot)
    narrative = everybody(rows_in(snapshot.folder))[gone]["narrative"]
    later = own("later")
    publish_snapshot(later, dataset_id=dataset_id, endpoint=endpoint)
    kept = rows_in(later.folder)
    pruned = prune(dataset_id, drop=lambda row: row.narrative == narrative, endpoint=endpoint)
    assert (pruned.rows, pruned.erased) == (0, len(snapshot.names) - 1)
    assert narrative not in narratives_on_disk(root)
    assert {row["narrative"] for row in everybody(kept).values()} <= narratives_on_disk(root)


def test_earlier_revisions_without_it_stay(api, endpoint, dataset_id, own):
    publish_snapshot(own("newer"), dataset_id=dataset_id, endpoint=endpoint)
    assert prune(dataset_id, drop=chosen("nobody"), endpoint=endpoint).erased == 0
    assert len(api.list_repo_commits(dataset_id, repo_type="dataset")) == 3


def test_an_earlier_file_that_nobody_can_look_into_is_erased(api, endpoint, dataset_id, snapshot):
    add(api, dataset_id, "data/time/test.parquet", b"PAR1 of another kind")
    publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
    assert prune(dataset_id, drop=chosen("nobody"), endpoint=endpoint).erased == 1


@pytest.mark.parametrize("interrupted", ["super_squash_history", "permanently_delete_lfs_files"])
def test_an_interrupted_pruning_is_completed_by_the_next(endpoint, own, root, monkeypatch, interrupted):
    snapshot = own(f"cut-{interrupted}")
    name = f"bank/cut-{interrupted}"
    publish_snapshot(snapshot, dataset_id=name, endpoint=endpoint)
    gone = somebody(snapshot)
    narrative = everybody(rows_in(snapshot.folder))[gone]["narrative"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(HfApi, interrupted, cut_off)
        prune(name, drop=chosen(gone), endpoint=endpoint)
    assert narrative in narratives_on_disk(root)
    assert prune(name, drop=chosen(gone), endpoint=endpoint).rows == 0
    assert narrative not in narratives_on_disk(root)


def cut_off(*_arguments, **_options):
    raise KeyboardInterrupt


def test_a_commit_that_somebody_makes_meanwhile_is_not_lost(api, endpoint, dataset_id, snapshot):
    def drop(row):
        if not api.file_exists(dataset_id, "theirs.txt", repo_type="dataset"):
            add(api, dataset_id, "theirs.txt", b"theirs")
        return True

    with pytest.raises(PublicationError, match="no longer at"):
        prune(dataset_id, drop=drop, endpoint=endpoint)
    assert set(api.list_repo_files(dataset_id, repo_type="dataset")) >= {"theirs.txt", *snapshot.names}


def test_files_that_the_hub_still_lists_are_an_error(endpoint, dataset_id, snapshot, monkeypatch):
    monkeypatch.setattr(HfApi, "permanently_delete_lfs_files", lambda *_arguments, **_options: None)
    with pytest.raises(PublicationError, match=rf"still lists \d+ old files of {dataset_id}"):
        prune(dataset_id, drop=chosen(somebody(snapshot)), endpoint=endpoint)


def test_files_that_the_hub_still_serves_are_an_error(endpoint, dataset_id, snapshot, monkeypatch):
    monkeypatch.setattr(HfApi, "super_squash_history", lambda *_arguments, **_options: None)
    monkeypatch.setattr(HfApi, "list_lfs_files", lambda *_arguments, **_options: [])
    with pytest.raises(PublicationError, match=rf"still serves the earlier .* of {dataset_id}"):
        prune(dataset_id, drop=chosen(somebody(snapshot)), endpoint=endpoint)


def test_a_split_of_which_nothing_is_left_is_no_split_and_the_others_can_be_loaded(
    endpoint, dataset_id, snapshot, tmp_path
):
    rows = rows_in(snapshot.folder)
    old = {row["complaint_id"] for part in ("train", "validation") for row in rows["time", part]}
    prune(dataset_id, drop=chosen(*old), endpoint=endpoint)
    assert load(dataset_id, endpoint, tmp_path, "time")["time"].keys() == {"test"}
    assert describe(dataset_id, endpoint=endpoint).rows["time"] == {"test": len(rows["time", "test"])}
    first = rows["time", "test"][0]["complaint_id"]
    assert prune(dataset_id, drop=chosen(first), endpoint=endpoint).rows == 1


def test_a_snapshot_of_which_nothing_is_left_is_a_card_and_can_be_pruned_again(api, endpoint, dataset_id, root):
    assert prune(dataset_id, drop=lambda row: True, endpoint=endpoint).rows == 120
    assert set(api.list_repo_files(dataset_id, repo_type="dataset")) == {".gitattributes", CARD_FILE}
    assert describe(dataset_id, endpoint=endpoint).rows == {}
    assert prune(dataset_id, drop=lambda row: True, endpoint=endpoint).rows == 0


def test_pruning_leaves_no_file_in_the_local_cache(endpoint, dataset_id, snapshot, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    prune(dataset_id, drop=chosen(somebody(snapshot)), endpoint=endpoint)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_read_back_is_what_was_written(snapshot, tmp_path):
    contents = read_contents(snapshot.folder, dataset_id="bank/any")
    again = write_contents(contents, tmp_path, name=f"bank/{snapshot.folder.name}")
    assert again.names == snapshot.names
    assert all((tmp_path / name).read_bytes() == (snapshot.folder / name).read_bytes() for name in snapshot.names)


def test_a_complaint_that_an_export_holds_twice_is_one_row(tmp_path):
    export = any_export(tmp_path)
    with export.open(newline="") as file:
        rows = list(csv.reader(file))
    with export.open("w", newline="") as file:
        csv.writer(file).writerows([*rows, rows[-1]])
    twice = write_snapshot(
        data := load_labelled(export),
        tmp_path,
        name="bank/twice",
        splits=splits_of(data, test_from=None, seed=0),
        tags=stated_tags(export),
        redact=str,
        terms=Terms(licence="other", language="en", redaction="rules-7"),
    )
    contents = read_contents(twice.folder, dataset_id="bank/twice")
    assert len(contents.data.rows) == 120
    assert write_contents(contents, tmp_path, name="bank/twice").fingerprints == twice.fingerprints


def add(api, dataset_id, path, content):
    operation = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
    api.create_commit(dataset_id, [operation], commit_message=f"add {path}", repo_type="dataset")


def parquet(columns):
    buffer = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (CARD_FILE, b"# Somebody's\n", "its card has no metadata complaints_triage"),
        ("notes.csv", b"complaint_id\n1\n", "differ in notes.csv"),
        ("data/time/test.parquet", parquet({"text": ["x"]}), "test.parquet lacks the columns complaint_id, "),
        (
            "data/time/test.parquet",
            parquet({name: [1] for name in SCHEMA.names}),
            "columns of other names or types",
        ),
        ("data/time/test.parquet", b"PAR1", "test.parquet is not a Parquet file"),
    ],
)
def test_a_dataset_that_is_no_snapshot_is_refused_and_unchanged(api, endpoint, own, path, content, problem):
    name = f"other-{crc32(content)}"
    publish_snapshot(own(name), dataset_id=f"bank/{name}", endpoint=endpoint)
    add(api, f"bank/{name}", path, content)
    head = api.dataset_info(f"bank/{name}").sha
    with pytest.raises(NotASnapshotError, match=f"bank/{name} is not a snapshot") as refusal:
        prune(f"bank/{name}", drop=lambda row: True, endpoint=endpoint)
    assert problem in str(refusal.value)
    assert api.dataset_info(f"bank/{name}").sha == head


@pytest.mark.parametrize(
    ("line", "other", "problem"),
    [
        ("  redaction: ", "  redacted_by: ", "the metadata complaints_triage of its card lack redaction"),
        ("  - split: validation", "  - split: dev", "its config time has the splits train, dev, test"),
    ],
)
def test_a_card_that_was_changed_is_no_snapshots(api, endpoint, own, line, other, problem):
    name = f"card-{crc32(problem.encode())}"
    snapshot = own(name)
    publish_snapshot(snapshot, dataset_id=f"bank/{name}", endpoint=endpoint)
    add(api, f"bank/{name}", CARD_FILE, (snapshot.folder / CARD_FILE).read_text().replace(line, other).encode())
    with pytest.raises(NotASnapshotError, match=problem):
        prune(f"bank/{name}", drop=lambda row: True, endpoint=endpoint)


def test_a_file_that_the_card_names_and_nobody_has_is_no_snapshot(api, endpoint, dataset_id):
    deletion = CommitOperationDelete("data/time/test.parquet")
    api.create_commit(dataset_id, [deletion], commit_message="lose it", repo_type="dataset")
    with pytest.raises(NotASnapshotError, match=r"differ in data/time/test\.parquet"):
        prune(dataset_id, drop=lambda row: True, endpoint=endpoint)


def test_a_dataset_without_a_card_or_that_is_not_there_is_refused(api, endpoint):
    api.create_repo("bank/empty", repo_type="dataset")
    with pytest.raises(NotASnapshotError, match=r"bank/empty is not a snapshot .* it has no card"):
        prune("bank/empty", drop=lambda row: True, endpoint=endpoint)
    with pytest.raises(PublicationError, match="the Hub refused bank/nowhere, or did not answer"):
        prune("bank/nowhere", drop=lambda row: True, endpoint=endpoint)


def test_a_card_of_the_first_kind_is_read_and_gets_what_it_lacks(api, endpoint, dataset_id, snapshot, tmp_path):
    path = snapshot.folder / CARD_FILE
    first = "".join(
        line
        for line in path.read_text().splitlines(keepends=True)
        if not line.startswith(("- complaints-triage", "  without_narrative", "  prunings", "| pruned"))
    ).replace("Another 0 rows", "Another 1,234 rows")
    add(api, dataset_id, CARD_FILE, first.encode())
    assert dataset_id not in published(endpoint)
    prune(dataset_id, drop=chosen(somebody(snapshot)), endpoint=endpoint)
    card = DatasetCard.load(fetched(api, dataset_id, tmp_path) / CARD_FILE)
    assert card.data.complaints_triage["without_narrative"] == 1234 and "Another 1,234 rows" in card.text
    assert dataset_id in published(endpoint)
