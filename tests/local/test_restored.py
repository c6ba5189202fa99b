import json

import pytest

from local.restored import forget_stream_positions, prepare, settle_stacks
from local.worker_fixes import FixNotApplicableError

KEY = "000000000000\0us-east-1\0'key'"


def write(folder, service, payload):
    (folder / f"{service}.json").write_text(json.dumps({"__ministack_format__": 2, "payload": payload}))


def read(folder, service):
    return json.loads((folder / f"{service}.json").read_text())["payload"]


def any_functions(code: str) -> dict[str, object]:
    return {
        "functions": {"data": {KEY: {"code_zip": {"code_blob_ref": code}}}},
        "dynamodb_stream_positions": {"__scoped__": True, "data": {KEY: 21}},
    }


def test_a_first_start_has_nothing_to_prepare(tmp_path):
    prepare(tmp_path / "not yet there")
    assert not any(tmp_path.iterdir())


def test_readers_start_at_the_beginning_of_the_empty_stream(tmp_path):
    write(tmp_path, "lambda", any_functions("abc"))
    prepare(tmp_path)
    assert read(tmp_path, "lambda")["dynamodb_stream_positions"] == {"__scoped__": True, "data": {}}


@pytest.mark.parametrize(
    ("saved", "settled"),
    [
        ("CREATE_COMPLETE", "CREATE_COMPLETE"),
        ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("REVIEW_IN_PROGRESS", "REVIEW_IN_PROGRESS"),
    ],
)
def test_a_stack_is_not_left_in_progress(saved, settled):
    formation = {"stacks": {"data": {KEY: {"StackStatus": saved}}}}
    settle_stacks(formation)
    assert formation["stacks"]["data"][KEY]["StackStatus"] == settled


def test_code_that_no_function_refers_to_is_removed(tmp_path):
    (tmp_path / "lambda-blobs").mkdir()
    for name in ("used", "unused"):
        (tmp_path / "lambda-blobs" / f"{name}.zip").touch()
    write(tmp_path, "lambda", any_functions("used"))
    prepare(tmp_path)
    assert [path.stem for path in (tmp_path / "lambda-blobs").iterdir()] == ["used"]


def test_a_file_of_another_shape_is_refused():
    with pytest.raises(FixNotApplicableError):
        forget_stream_positions({})
