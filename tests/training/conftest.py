import pytest

from tests.hub import served


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """The address of a Hub that the tests share."""
    with served(tmp_path_factory.mktemp("hub")) as address:
        yield address
