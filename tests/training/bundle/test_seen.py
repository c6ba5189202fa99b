import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from training.bundle.seen import digests_of, is_seen, load_seen, save_seen
from triage.bundle import SEEN_FILE
from triage.errors import BundleCorruptError


@given(st.lists(st.text(), min_size=1, max_size=20), st.lists(st.text(), min_size=1, max_size=20))
def test_what_was_seen_is_known_and_nothing_else(seen, asked):
    """Two different texts have the same digest with probability 1 in four thousand million."""
    assert is_seen(asked, digests_of(seen)).tolist() == [text in seen for text in asked]


def test_digests_are_kept_without_the_order_of_the_texts(tmp_path):
    texts = [f"letter {number}" for number in range(50)]
    save_seen([*texts, *texts], tmp_path)
    forwards = (tmp_path / SEEN_FILE).read_bytes()
    save_seen(reversed(texts), tmp_path)
    assert (tmp_path / SEEN_FILE).read_bytes() == forwards
    seen = load_seen(tmp_path)
    assert seen is not None
    assert is_seen(texts, seen).all()


def test_a_bundle_may_lack_digests(tmp_path):
    assert load_seen(tmp_path) is None


def test_a_file_that_holds_something_else_is_corrupt(tmp_path):
    save_file({"weights": np.zeros(1)}, tmp_path / SEEN_FILE)
    with pytest.raises(BundleCorruptError, match="contains no digests"):
        load_seen(tmp_path)
    (tmp_path / SEEN_FILE).write_text("hello")
    with pytest.raises(BundleCorruptError, match="contains no digests"):
        load_seen(tmp_path)
