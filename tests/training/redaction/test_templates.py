import tomllib
from pathlib import Path

import pytest

from training.redaction import templates
from training.redaction.templates import written


@pytest.mark.parametrize("part", ["tuned", "held_out"])
def test_the_same_seed_gives_the_same_texts(part):
    assert list(written(part, 20, seed=3)) == list(written(part, 20, seed=3)) != list(written(part, 20, seed=4))


def test_nothing_is_left_to_fill():
    assert not [
        text for part in ("tuned", "held_out") for text in written(part, 200, seed=1) if set(text) & set("{}^=")
    ]


@pytest.mark.parametrize("pool", ["sentence", "given", "surname", "firm", "account", "ssn", "birth", "card", "address"])
def test_tuned_and_held_out_share_nothing(pool):
    parts = tomllib.loads(Path(templates.__file__).with_suffix(".toml").read_text())
    assert not set(parts["tuned"][pool]) & set(parts["held_out"][pool])
