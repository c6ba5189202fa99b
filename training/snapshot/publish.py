"""Publication: a snapshot becomes one commit on the Hub, and its sha is the version of the data."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from training.bundle.hub import commit_folder
from training.snapshot.contents import Snapshot


class PublicationError(Exception):
    """The Hub refused a snapshot, or did not answer."""


@contextmanager
def answering(subject: str) -> Iterator[None]:
    """Raises: PublicationError, in place of what the client raises about `subject`."""
    try:
        yield
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, httpx2.HTTPError) as error:
        raise PublicationError(f"the Hub refused {subject}, or did not answer: {error}") from error


def publish_snapshot(
    snapshot: Snapshot, *, dataset_id: str, endpoint: str | None, private: bool = True, token: str | None = None
) -> str:
    """Upload a snapshot to the dataset repository, made if need be, and return the commit's sha.

    Content that is there already makes no commit, and a commit is refused if somebody else commits meanwhile. Without
    `endpoint` it is the Hub that huggingface_hub itself is set to. `private` holds for a repository that is made.

    Raises:
        PublicationError: the Hub refused, or did not answer.
    """
    with answering(dataset_id):
        return commit_folder(
            HfApi(endpoint=endpoint, token=token),
            snapshot.folder,
            repository=dataset_id,
            repo_type="dataset",
            names=snapshot.names,
            message=f"Freeze {snapshot.source_fingerprint[:16]}",
            private=private,
        )
