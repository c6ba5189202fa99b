"""How the benchmarks choose the complaints that they measure on."""

from benchmarks.explanation import letters, texts_of_medium_length


def words(text):
    return len(text.split())


def test_explanations_are_measured_on_the_first_complaints_of_medium_length():
    texts = ["one", *("word " * count for count in (140, 150, 260, 261, 200))]
    assert [words(text) for text in texts_of_medium_length(texts, words=words, count=2)] == [150, 260]


def test_the_longest_generated_letters_are_used_instead():
    chosen = texts_of_medium_length(letters(None), words=words, count=30)
    assert len(chosen) == 30
    assert min(map(words, chosen)) > 100


def test_no_complaint_is_chosen_from_none():
    assert texts_of_medium_length([], words=words, count=3) == []
