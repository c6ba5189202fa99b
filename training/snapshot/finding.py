"""The snapshots that were published on a Hub, found by the tag of their cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import HfApi
from huggingface_hub.errors import LocalTokenNotFoundError

from training.snapshot.contents import TAG
from training.snapshot.publish import PublicationError, answering


@dataclass(frozen=True, kw_only=True)
class Published:
    """revision: of `main`. rows: of each split, by config."""

    dataset: str
    revision: str
    rows: Mapping[str, Mapping[str, int]]


def published(endpoint: str | None, *, token: str | None = None) -> list[str]:
    """The datasets that carry the tag of our cards, in alphabetical order.

    On a Hub of our own, which `endpoint` names, these are all; without `endpoint` those of the token's account and its
    organisations, because on the Hub that everybody shares anybody may use a tag.

    Raises:
        PublicationError: the Hub refused, or did not answer, or there is no token to say whose datasets are ours.
    """
    api = HfApi(endpoint=endpoint, token=token)
    with answering("the list of datasets"):
        owners = _owners(api) if endpoint is None else [None]
        return sorted({found.id for owner in owners for found in api.list_datasets(filter=TAG, author=owner)})


def describe(dataset_id: str, *, endpoint: str | None, token: str | None = None) -> Published:
    """Raises: PublicationError."""
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
        raise PublicationError("only a token says whose datasets are ours: set HF_TOKEN") from error
    return [account["name"], *(organisation["name"] for organisation in account["orgs"])]
