import pytest

from tests.ci.scripts import Programs


@pytest.fixture
def programs(tmp_path, monkeypatch):
    return Programs(tmp_path / "programs", monkeypatch)
