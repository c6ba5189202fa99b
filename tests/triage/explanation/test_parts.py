import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.explanation.parts import LONGEST_SENTENCE, MOST_SENTENCES, MOST_WORDS, sentences, words
from triage.text import clean

TEXTS = st.text(st.sampled_from("aB1 .,!?;'\"()XZ\u00e9\U0001f600"), max_size=400).map(clean).filter(bool)


def said(text: str) -> list[str]:
    return [part.of(text) for part in sentences(text)]


@given(TEXTS)
def test_sentences_joined_are_the_text(text):
    assert "".join(said(text)) == text


@given(TEXTS)
def test_words_joined_are_their_sentence(text):
    for sentence in sentences(text):
        assert "".join(word.of(text) for word in words(text, sentence)) == sentence.of(text)


@given(st.lists(st.sampled_from(["word", "end.", "Next", "XXXX", "$5.00,"]), min_size=1, max_size=1500).map(" ".join))
def test_a_letter_of_any_length_has_no_more_parts_than_can_be_evaluated(text):
    found = sentences(text)
    assert 1 <= len(found) <= MOST_SENTENCES
    assert all(len(words(text, sentence)) <= MOST_WORDS for sentence in found)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("They closed my account. I had paid 5.00 dollars. Why is that?", 3),
        ("Dr. Smith of Acme Inc. called me twice. I was not in.", 2),
        ("It came on XX/XX/2019. [NAME] signed for it.", 2),
        ("they closed my account. i had paid 5.00 dollars! why is that?", 3),
        ("It took approx. five days. They called me twice. Nobody came back.", 3),
        ("Stop it. Now.", 1),
    ],
)
def test_a_letter_is_cut_where_its_sentences_end(text, parts):
    assert len(sentences(text)) == parts


def test_a_long_sentence_is_cut_at_a_comma():
    text = " ".join(["word"] * 30) + ", " + " ".join(["more"] * 30)
    assert [len(part.split()) for part in said(text)] == [30, 30]


def test_a_long_text_without_punctuation_is_cut_at_the_longest_length():
    assert max(len(part.split()) for part in said("word " * 100 + "end")) <= LONGEST_SENTENCE
