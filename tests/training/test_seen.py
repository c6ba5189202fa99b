import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from training.seen import digests_of, is_seen, load_seen, save_seen
from triage.errors import BundleCorruptError


@given(st.lists(st.text(), min_size=1, max_size=20), st.lists(st.text(), min_size=1, max_size=20))
def test_what_was_seen_is_known_and_nothing_else(seen, asked):
    """Two different texts have the same digest once in four thousand million."""
    assert is_seen(asked, digests_of(seen)).tolist() == [text in seen for text in asked]


def test_digests_are_kept_without_the_order_of_the_texts(tmp_path):
    texts = [f"letter {number}" for number in range(50)]
    save_seen([*texts, *texts], tmp_path / "forwards")
    save_seen(reversed(texts), tmp_path / "backwards")
    assert (tmp_path / "forwards").read_bytes() == (tmp_path / "backwards").read_bytes()
    assert is_seen(texts, load_seen(tmp_path / "forwards")).all()


def test_a_file_that_holds_something_else_is_corrupt(tmp_path):
    save_file({"weights": np.zeros(1)}, tmp_path / "weights")
    (tmp_path / "notes").write_text("hello")
    for name in ("weights", "notes"):
        with pytest.raises(BundleCorruptError, match=f"{name} holds no digests"):
            load_seen(tmp_path / name)
