from concurrent.futures import ThreadPoolExecutor

import pytest

from local.keys import Keys, NoKeysError
from local.state import State


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state").create()


def test_keys_are_drawn_once_for_a_state_folder(state):
    assert Keys.create(state) == Keys.create(state) == Keys.of(state)


def test_two_state_folders_share_no_key(state, tmp_path):
    other = Keys.create(State(tmp_path / "other").create())
    assert not set(Keys.create(state).model_dump().values()) & set(other.model_dump().values())


def test_only_the_owner_reads_the_keys(state):
    Keys.create(state)
    assert state.keys.stat().st_mode & 0o777 == 0o600
    assert state.folder.stat().st_mode & 0o777 == 0o700


def test_processes_that_start_at_once_get_the_same_keys(state):
    with ThreadPoolExecutor(8) as pool:
        assert len({keys.hub for keys in pool.map(lambda _: Keys.create(state), range(8))}) == 1
    assert [path.name for path in state.folder.glob("keys*")] == ["keys.json"]


def test_a_folder_in_which_nothing_was_started_has_no_keys(state):
    with pytest.raises(NoKeysError, match="triage up"):
        Keys.of(state)


def test_no_key_is_a_root_key_that_ministack_knows(state):
    assert Keys.create(state).access_key_id not in {"test", ""}
    assert not Keys.create(state).access_key_id.isdigit()
