"""What the card of a repository says of it: the front matter of its README, and the tags that the Hub makes of it."""

import json
import re
from typing import Any

import yaml

CARD_FILE = "README.md"

FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)

TAGGED = ("language", "license", "multilinguality", "size_categories", "task_categories", "task_ids")
"""Fields of which each value becomes a tag as well, written `field:value`."""


def card_data(content: str) -> dict[str, Any]:
    r"""Return the front matter as JSON holds it; nothing where there is none, or where it is no YAML.

    >>> card_data("---\nlicense: mit\ntags: [finance]\n---\n# Complaints")
    {'license': 'mit', 'tags': ['finance']}
    >>> card_data("# Complaints")
    {}
    """
    front = FRONT_MATTER.match(content)
    try:
        data = yaml.safe_load(front[1]) if front else None
    except yaml.YAMLError:
        return {}
    # YAML knows days, JSON does not.
    return json.loads(json.dumps(data, default=str)) if isinstance(data, dict) else {}


def tags(data: dict[str, Any]) -> list[str]:
    """Return what a listing can be filtered by.

    >>> tags({"license": "mit", "tags": ["finance"], "language": ["en", "es"]})
    ['finance', 'language:en', 'language:es', 'license:mit']
    """
    return values(data.get("tags")) + [f"{field}:{value}" for field in TAGGED for value in values(data.get(field))]


def values(given: Any) -> list[str]:
    """Return what a field holds, which may be one value or a list."""
    if given is None:
        return []
    return [str(value) for value in (given if isinstance(given, list) else [given])]
