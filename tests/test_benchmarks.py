"""What benchmarks measure on."""

from benchmarks.explanation import alike, letters


def words(text):
    return len(text.split())


def test_explanations_are_measured_on_the_first_complaints_of_middling_length():
    texts = ["one", *("word " * count for count in (140, 150, 260, 261, 200))]
    assert [words(text) for text in alike(texts, words=words, count=2)] == [150, 260]


def test_the_longest_of_generated_letters_stand_in():
    chosen = alike(letters(None), words=words, count=30)
    assert len(chosen) == 30
    assert min(map(words, chosen)) > 100


def test_nothing_is_chosen_from_nothing():
    assert alike([], words=words, count=3) == []
