"""The Hub returns the metadata of a card with each repository, and filters listings by it."""

from uuid import uuid4

import pytest
from huggingface_hub import HfApi

CARD = """---
license: other
language: [en, es]
task_categories: [text-classification]
tags: [complaints, "{tag}"]
complaints_triage: {{taxonomy: 3.0, since: 2026-01-31}}
---
# Complaints
"""


@pytest.fixture
def tag() -> str:
    """A tag that no other test uses."""
    return uuid4().hex


def a_dataset(hub: HfApi, name: str, card: str) -> str:
    dataset = hub.create_repo(name, repo_type="dataset", exist_ok=True).repo_id
    hub.upload_file(repo_id=dataset, repo_type="dataset", path_in_repo="README.md", path_or_fileobj=card.encode())
    return dataset


def test_datasets_are_listed_by_the_tags_of_their_cards(hub: HfApi, tag: str) -> None:
    dataset = a_dataset(hub, f"acme/{tag}", CARD.format(tag=tag))
    a_dataset(hub, f"acme/{tag}-2", CARD.format(tag="another"))
    hub.create_repo(f"acme/{tag}-3", repo_type="dataset")
    assert [found.id for found in hub.list_datasets(filter=tag)] == [dataset]
    assert [found.id for found in hub.list_datasets(filter=[tag, "complaints"], language="es")] == [dataset]
    assert not list(hub.list_datasets(filter=[tag, "finance"]))
    assert not list(hub.list_datasets(filter=tag, author="other"))


def test_models_are_listed_by_tags_too(hub: HfApi, tag: str) -> None:
    model = hub.create_repo(f"acme/{tag}").repo_id
    hub.upload_file(repo_id=model, path_in_repo="README.md", path_or_fileobj=CARD.format(tag=tag).encode())
    assert [found.id for found in hub.list_models(filter=tag)] == [model]


def test_a_listing_tells_the_cards_of_main_as_they_are_now(hub: HfApi, tag: str) -> None:
    dataset = a_dataset(hub, f"acme/{tag}", "# No front matter")
    assert not list(hub.list_datasets(filter=tag))
    a_dataset(hub, dataset, CARD.format(tag=tag))
    (found,) = hub.list_datasets(filter=tag, full=True)
    assert found.sha == hub.dataset_info(dataset).sha
    assert found.card_data is not None
    assert found.card_data["complaints_triage"] == {"taxonomy": 3.0, "since": "2026-01-31"}
    assert found.tags is not None and {tag, "license:other", "language:es"} <= {*found.tags}


@pytest.mark.parametrize("card", ["# Nothing", "---\na: [\n---\n", "---\n- a list\n---\n", ""])
def test_a_card_without_metadata_says_nothing(hub: HfApi, tag: str, card: str) -> None:
    info = hub.dataset_info(a_dataset(hub, f"acme/{tag}", card))
    assert (info.card_data, info.tags) == (None, [])


HARMFUL = {
    "an alias": "a: &a [x]\nb: *a",
    "a list that contains itself": "a: &a\n  - *a",
    "a billion of laughs": "a: &a [x, x]\n"
    + "\n".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}]" for n in range(9)),
    "a number without end": f"a: {'1' * 5_000}",
    "a day that is none": "a: 2026-13-45",
    "lists in lists": "a: " + "[" * 5_000,
    "a key that is a list": "? [a]\n: b",
    "a key that is a day": "2026-01-01: b",
}


@pytest.mark.parametrize("front", HARMFUL.values(), ids=HARMFUL.keys())
def test_one_card_does_not_stop_the_listing_of_the_others(hub: HfApi, tag: str, front: str) -> None:
    a_dataset(hub, f"acme/{tag}-harmful", f"---\n{front}\n---\n")
    dataset = a_dataset(hub, f"acme/{tag}", CARD.format(tag=tag))
    assert [found.id for found in hub.list_datasets(filter=tag)] == [dataset]
