import pyarrow
import pyarrow.parquet
import pytest

from training.data.sources import merge


def written(folder, file, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / file)
    return folder / file


def test_every_row_says_which_split_it_is_of(tmp_path):
    train = [written(tmp_path, "a", id=["1", "2"]), written(tmp_path, "b", id=["3"])]
    merge({"train": train, "test": [written(tmp_path, "c", id=["4"])]}, tmp_path / "new" / "all.parquet")
    rows = pyarrow.parquet.read_table(tmp_path / "new" / "all.parquet").to_pylist()
    assert [(row["id"], row["split"]) for row in rows] == [
        ("1", "train"),
        ("2", "train"),
        ("3", "train"),
        ("4", "test"),
    ]


def test_columns_are_taken_by_name(tmp_path):
    files = [written(tmp_path, "a", id=["1"], text=["x"]), written(tmp_path, "b", text=["y"], id=["2"], other=["z"])]
    merge({"train": files}, tmp_path / "all.parquet")
    rows = pyarrow.parquet.read_table(tmp_path / "all.parquet").to_pylist()
    assert rows == [{"id": "1", "text": "x", "split": "train"}, {"id": "2", "text": "y", "split": "train"}]


@pytest.mark.parametrize(("other", "error"), [({"id": [["2"]]}, pyarrow.ArrowException), ({"name": ["2"]}, KeyError)])
def test_files_that_do_not_go_together_leave_nothing(tmp_path, other, error):
    files = [written(tmp_path, "a", id=["1"]), written(tmp_path, "b", **other)]
    with pytest.raises(error):
        merge({"train": files}, tmp_path / "new" / "all.parquet")
    assert not list((tmp_path / "new").iterdir())
