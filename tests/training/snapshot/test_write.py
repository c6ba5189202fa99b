from dataclasses import replace
from datetime import date

import pytest

from tests.training.snapshot.conftest import NAME
from training.data.complaint_files import read_export
from training.data.dataset import load_labelled
from training.data.sources import merge
from training.data.splits import PARTS
from training.snapshot import Terms, splits_of, stated_tags, write_snapshot


def rows_of(snapshot, config, part):
    return list(read_export(snapshot.folder / snapshot.configs[config][part].path))


def test_the_parts_are_those_of_the_splits(snapshot, data, splits):
    for config, split in splits.items():
        for part in PARTS:
            expected = [data.rows[row].complaint_id for row in getattr(split, part)]
            assert [row.complaint_id for row in rows_of(snapshot, config, part)] == expected


def test_exports_are_read_back_with_all_that_was_labelled(snapshot, data, splits):
    for row, index in zip(rows_of(snapshot, "time", "train"), splits["time"].train, strict=True):
        labelled = data.rows[index]
        assert (row.narrative, row.product, row.issue) == (labelled.narrative, labelled.product, labelled.issue)
        assert (row.received_at, row.submitted_via) == (labelled.received.isoformat(), labelled.channel)


def test_tags_are_those_that_the_form_stated(snapshot, export):
    stated = {row.complaint_id: row.tags for row in read_export(export)}
    written = [row for part in PARTS for row in rows_of(snapshot, "grouped", part)]
    assert {row.complaint_id: row.tags for row in written} == stated
    assert () in stated.values() and any(stated.values())


@pytest.mark.parametrize("config", ["time", "grouped"])
def test_a_config_that_is_read_back_has_the_stated_fingerprint(snapshot, config, tmp_path):
    merge({part: [snapshot.folder / snapshot.configs[config][part].path] for part in PARTS}, tmp_path / "all.parquet")
    assert load_labelled(tmp_path / "all.parquet").fingerprint == snapshot.fingerprints[config]


def test_names_that_a_snapshot_does_not_store_are_not_in_its_fingerprint(export, data, splits, tmp_path):
    rows = tuple(replace(row, sub_product="Store credit card", sub_issue="Fees") for row in data.rows)
    terms = Terms(licence="other", language="en", redaction="rules-7")
    written = write_snapshot(
        replace(data, rows=rows),
        tmp_path,
        name=NAME,
        splits=splits,
        tags=stated_tags(export),
        redact=lambda narrative: narrative,
        terms=terms,
    )
    for config, parts in written.configs.items():
        merge({part: [tmp_path / parts[part].path] for part in PARTS}, tmp_path / f"{config}.parquet")
        assert load_labelled(tmp_path / f"{config}.parquet").fingerprint == written.fingerprints[config]


def test_narratives_are_redacted_wherever_they_are_written(write, tmp_path):
    snapshot = write(tmp_path, redact=lambda narrative: f"[redacted\n {len(narrative)}] words")
    for config in snapshot.configs:
        for part in PARTS:
            assert all(row.narrative.startswith("[redacted ") for row in rows_of(snapshot, config, part))
    assert snapshot.fingerprints["grouped"] != snapshot.source_fingerprint


def test_no_group_is_in_two_parts(data, splits):
    for split in splits.values():
        groups = [set(data.groups[getattr(split, part)].tolist()) for part in PARTS]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_the_same_data_give_the_same_bytes(write, snapshot, tmp_path):
    again = write(tmp_path)
    assert again.names == snapshot.names
    assert all((tmp_path / name).read_bytes() == (snapshot.folder / name).read_bytes() for name in snapshot.names)


def test_the_day_from_which_on_to_test_can_be_chosen(data):
    day = date(2024, 8, 1)
    test = splits_of(data, test_from=day, seed=0)["time"].test
    assert min(data.rows[row].received for row in test) >= day


def test_a_day_that_leaves_nothing_to_test_is_refused(data):
    with pytest.raises(ValueError, match="the test part is empty"):
        splits_of(data, test_from=date(2030, 1, 1), seed=0)
