"""Publishes snapshots, each as one commit whose sha is the version of the data, and lists the published ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, LocalTokenNotFoundError

from training.bundle.hub import commit_folder
from training.snapshot.contents import TAG, Snapshot


class PublicationError(Exception):
    """The Hub refused a request about a snapshot, or did not answer."""


@contextmanager
def answering(subject: str) -> Iterator[None]:
    """Turn errors of the Hub's client into PublicationError. subject: what the request is about, for the message."""
    try:
        yield
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, httpx2.HTTPError) as error:
        raise PublicationError(f"the Hub refused {subject}, or did not answer: {error}") from error


def publish_snapshot(
    snapshot: Snapshot, *, dataset_id: str, endpoint: str | None, private: bool = True, token: str | None = None
) -> str:
    """Upload a snapshot to the dataset repository and return the sha of the commit.

    The repository is made if it does not exist; `private` applies only then. If it already has this content, no commit
    is made. Without `endpoint`, the Hub is the one that huggingface_hub is configured for.

    Raises:
        PublicationError: the Hub refused, for instance because somebody else committed meanwhile, or did not answer.
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


@dataclass(frozen=True, kw_only=True)
class Published:
    """A dataset on the Hub. revision: the commit of `main`. rows: the number of rows of each split, by config."""

    dataset: str
    revision: str
    rows: Mapping[str, Mapping[str, int]]


def published(endpoint: str | None, *, token: str | None = None) -> list[str]:
    """Return the ids of the datasets whose card has the tag of snapshots, in alphabetical order.

    With `endpoint`, a Hub of our own, these are all datasets with the tag. Without it, on the public Hub, where anybody
    can use the tag, only those of the token's account and its organisations.

    Raises:
        PublicationError: the Hub refused or did not answer, or a token is needed and missing.
    """
    api = HfApi(endpoint=endpoint, token=token)
    with answering("the list of datasets"):
        owners = _owners(api) if endpoint is None else [None]
        return sorted({found.id for owner in owners for found in api.list_datasets(filter=TAG, author=owner)})


def describe(dataset_id: str, *, endpoint: str | None, token: str | None = None) -> Published:
    """Return revision and number of rows of a dataset. Raises: PublicationError."""
    with answering(dataset_id):
        info = HfApi(endpoint=endpoint, token=token).dataset_info(dataset_id)
    configs = info.card_data.get("dataset_info") if info.card_data else ()
    return Published(
        dataset=dataset_id,
        revision=info.sha or "",
        rows={
            config["config_name"]: {split["name"]: split["num_examples"] for split in config["splits"]}
            for config in configs or ()
        },
    )


def _owners(api: HfApi) -> Sequence[str]:
    try:
        account = api.whoami()
    except LocalTokenNotFoundError as error:
        raise PublicationError(
            "the public Hub lists datasets of an account only with its token: set HF_TOKEN"
        ) from error
    return [account["name"], *(organisation["name"] for organisation in account["orgs"])]
