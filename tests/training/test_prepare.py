from collections import Counter

import pytest

from training.prepare import Example, examples_of, fingerprint, generated_examples, prepare, split
from training.recipe import CONFIGS, load_recipe

TINY = load_recipe(CONFIGS / "tiny.toml")


def any_examples(**counts: int) -> list[Example]:
    return [Example(text=f"{label} number {index}", label=label) for label, n in counts.items() for index in range(n)]


def test_preparing_twice_gives_the_same():
    assert prepare(TINY) == prepare(TINY)


def test_another_seed_gives_other_data():
    assert prepare(TINY).fingerprint != prepare(TINY.model_copy(update={"seed": 8})).fingerprint


def test_no_text_is_on_both_sides():
    prepared = prepare(TINY, [*any_examples(card=20, loan=20), *any_examples(card=20)])
    assert not {example.text for example in prepared.train} & {example.text for example in prepared.validation}


def test_labels_are_sorted():
    assert prepare(TINY, any_examples(loan=4, card=4)).labels == ("card", "loan")


def test_texts_are_cleaned_as_in_serving():
    prepared = prepare(TINY, [Example("  two\x00 \n words ", "card"), Example("other", "loan")])
    assert {example.text for example in prepared.train} == {"two words", "other"}


def test_empty_texts_are_left_out():
    prepared = prepare(TINY, [*any_examples(card=4, loan=4), Example(" \n", "card")])
    assert all(example.text for example in (*prepared.train, *prepared.validation))


def test_one_label_is_nothing_to_learn():
    with pytest.raises(ValueError, match="two labels"):
        prepare(TINY, any_examples(card=30))


def test_each_label_keeps_its_share():
    _, validation = split(any_examples(card=80, loan=20), share=0.25, seed=1)
    assert Counter(example.label for example in validation) == {"card": 20, "loan": 5}


def test_a_label_seen_once_is_trained_on():
    train, validation = split(any_examples(card=1), share=0.9, seed=1)
    assert (len(train), len(validation)) == (1, 0)


def test_the_split_does_not_depend_on_the_order_of_the_examples():
    examples = any_examples(card=30, loan=30)
    assert split(examples, share=0.3, seed=5) == split(examples[::-1], share=0.3, seed=5)


def test_the_fingerprint_tells_the_two_parts_apart():
    examples = any_examples(card=2)
    assert fingerprint(examples, []) != fingerprint([], examples)


@pytest.mark.parametrize("task", ["product", "issue", "vulnerable"])
def test_every_task_reads_its_label_off_generated_complaints(task):
    examples = generated_examples(TINY.model_copy(update={"task": task}))
    assert len(examples) == TINY.examples
    assert len({example.label for example in examples}) > 1


def test_a_task_without_known_labels_is_refused():
    with pytest.raises(ValueError, match="no label is known for the task 'tone'"):
        examples_of([], task="tone")
