import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_manifest
from training.data.prepare import as_served
from triage.complaint import MAX_ITEM_BYTES
from triage.inference.classify import as_read
from triage.inference.reading import KEPT, LONGEST_READ, MARGIN, Remembered, cut, read_by_models, redacted_beginning
from triage.redaction import redact_text

CARD = "4111 1111 1111 1111"


@given(st.text("ab ", max_size=60), st.integers(1, 40))
def test_a_cut_keeps_the_beginning_and_whole_words(text, length):
    kept = cut(text, length)
    assert text.startswith(kept)
    assert len(kept) <= length
    if len(kept) < len(text) and " " in text[:length].strip():
        assert text[len(kept)] == " " or text[len(kept) - 1] == " "


def test_a_letter_of_usual_length_is_read_whole():
    text = f"My card is {CARD}. " * 1_000
    assert len(text) < LONGEST_READ
    assert redacted_beginning(text) == redact_text(text)
    assert cut(text) == text


@pytest.mark.parametrize("before", range(LONGEST_READ - 22, LONGEST_READ + 3))
def test_nothing_is_half_redacted_at_the_cut(before):
    text = "w" * (before - 5) + " card " + CARD + " end" * MARGIN
    read = redacted_beginning(text)
    assert "1111" not in read and "4111" not in read
    assert not read.endswith(("[", "[C", "[CA", "[CAR", "[CARD"))
    assert len(read) <= LONGEST_READ + len("[CARD]")


def test_the_longest_letter_takes_no_longer_than_one_of_the_length_that_is_read():
    def seconds(length: int) -> float:
        text = ("I called John Smith on 212-555-0187 about card 4111 1111 1111 1111. " * 6_000)[:length]
        started = time.process_time()
        redacted_beginning(text)
        return time.process_time() - started

    assert seconds(MAX_ITEM_BYTES) < 3 * seconds(LONGEST_READ)


def test_training_serving_and_unredacted_models_are_cut_at_the_same_place():
    text = "word " * LONGEST_READ
    assert as_served(text) == as_read(text, any_manifest(redaction_version="any"))
    assert len(as_read(text, any_manifest(redaction_version=None))) <= LONGEST_READ


def test_the_models_of_a_complaint_redact_it_once_however_many_ask_at_the_same_time():
    calls: list[str] = []

    def slowly(text: str) -> str:
        calls.append(text)
        time.sleep(0.05)
        return text.upper()

    remembered = Remembered(slowly, kept=2)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(remembered("a"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, calls) == (["A"] * 6, ["a"])


def test_no_more_letters_are_remembered_than_are_asked_for_at_once():
    calls: list[str] = []

    def noted(text: str) -> str:
        calls.append(text)
        return text

    remembered = Remembered(noted, kept=KEPT)
    for text in [*map(str, range(KEPT + 1)), "0"]:
        assert remembered(text) == text
    assert calls.count("0") == 2
    assert read_by_models("plain", redacted=True) == "plain"
