import pytest

from tests.training.data.exports import any_export
from training.data.dataset import load_labelled
from training.snapshot import Terms, splits_of, stated_tags, write_snapshot

NAME = "megabank/complaints"


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    return any_export(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="session")
def data(export):
    return load_labelled(export)


@pytest.fixture(scope="session")
def splits(data):
    return splits_of(data, test_from=None, seed=0)


@pytest.fixture(scope="session")
def write(export, data, splits):
    """Return a function that writes a snapshot of the export to a folder."""

    def written(folder, *, redact=lambda narrative: narrative, **terms):
        return write_snapshot(
            data,
            folder,
            name=NAME,
            splits=splits,
            tags=stated_tags(export),
            redact=redact,
            terms=Terms(**{"licence": "other", "language": "en", "redaction": "rules-7", **terms}),
        )

    return written


@pytest.fixture(scope="session")
def snapshot(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("snapshot"))
