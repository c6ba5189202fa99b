import itertools
import socket

from local.state import LOOPBACK, Instance, Ports, Process, State, any_free_port, choose_ports, is_free


def any_instance(folder, **changes) -> Instance:
    instance = Instance(
        state=folder, ports=Ports(aws=1, hub=2, models=3), supervisor=Process(pid=4, started=5.5), children={}
    )
    return instance.model_copy(update=changes)


def test_a_first_start_takes_the_usual_ports():
    assert choose_ports(None, free=lambda port: True) == Ports(aws=4566, hub=8090, models=8091)


def test_a_later_start_takes_the_ports_it_had():
    remembered = Ports(aws=10, hub=11, models=12)
    assert choose_ports(remembered, free=lambda port: True) == remembered


def test_only_the_port_that_is_taken_is_replaced():
    others = itertools.count(50_000)
    chosen = choose_ports(None, free=lambda port: port != 4566, other=lambda: next(others))
    assert chosen == Ports(aws=50_000, hub=8090, models=8091)


def test_no_port_is_chosen_twice():
    others = iter([8090, 8090, 50_001])
    chosen = choose_ports(Ports(aws=8090, hub=8090, models=8091), free=lambda port: True, other=lambda: next(others))
    assert chosen == Ports(aws=8090, hub=50_001, models=8091)


def test_a_port_in_use_is_not_free():
    with socket.socket() as server:
        server.bind((LOOPBACK, any_free_port()))
        server.listen()
        assert not is_free(server.getsockname()[1])


def test_an_instance_is_read_back_as_it_was_written(tmp_path):
    instance = any_instance(tmp_path, children={"aws": Process(pid=7, started=8.25)})
    instance.write()
    assert Instance.read(tmp_path) == instance
    assert [path.name for path in tmp_path.iterdir()] == ["instance.json"]


def test_a_folder_without_an_instance_has_none(tmp_path):
    assert Instance.read(tmp_path) is None


def open_to_others(folder):
    return [path for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077 and not path.is_symlink()]


def test_a_state_folder_is_private_to_its_owner(tmp_path):
    state = State(tmp_path / "state").create()
    assert not open_to_others(state.folder)


def test_a_state_folder_that_exists_is_closed_with_all_that_is_in_it(tmp_path):
    folder = tmp_path / "state"
    (folder / "aws" / "state").mkdir(parents=True, mode=0o755)
    (folder / "aws" / "state" / "dynamodb.json").write_text("{}")
    (folder / "program").write_text("")
    (folder / "program").chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    elsewhere.chmod(0o644)
    (folder / "link").symlink_to(elsewhere)
    folder.chmod(0o755)
    assert open_to_others(folder)
    State(folder).create()
    assert not open_to_others(folder)
    assert (folder / "program").stat().st_mode & 0o777 == 0o700
    assert (folder / "aws" / "state" / "dynamodb.json").stat().st_mode & 0o777 == 0o600
    assert elsewhere.stat().st_mode & 0o777 == 0o644
