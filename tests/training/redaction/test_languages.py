"""Letters in languages that the redactor does not cover are known as such, and English ones are not."""

import pytest

from training.redaction.labelled import foreign, load_parts
from triage.redaction import is_covered

PARTS = load_parts()


@pytest.mark.parametrize("language", foreign())
def test_every_letter_in_another_language_is_withheld(language):
    assert not [letter for letter in foreign()[language] if is_covered(letter)]


def test_english_letters_are_handed_out():
    """Five texts of the set together are as long as a letter; many of them are hardly more than names and numbers."""
    texts = [example.text for examples in PARTS.values() for example in examples]
    letters = [" ".join(texts[n : n + 5]) for n in range(0, len(texts) - 5, 5)]
    assert sum(map(is_covered, letters)) >= 0.97 * len(letters)
