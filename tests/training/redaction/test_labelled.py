import tomllib
from pathlib import Path

import pytest

from training.redaction import labelled
from training.redaction.labelled import HELD_OUT, TUNED, generated, load_parts, read
from triage.redaction import Entity, Span


def test_marks_become_spans_of_the_cleaned_text():
    example = read("I am  <name>John\nSmith</name>, <phone>1</phone>")
    assert example.text == "I am John Smith, 1"
    assert example.spans == (Span(5, 15, Entity.NAME), Span(17, 18, Entity.PHONE))


@pytest.mark.parametrize("marked", ["<name>John", "John</name>", "<name>John</phone>", "<name><phone>1</phone></name>"])
def test_marks_that_do_not_match_are_refused(marked):
    with pytest.raises(ValueError, match="do not match"):
        read(marked)


def test_every_part_is_tuned_or_held_out():
    assert load_parts().keys() == {*TUNED, *HELD_OUT}


@pytest.mark.parametrize("parts", [TUNED, HELD_OUT])
def test_every_entity_is_marked_and_some_texts_have_no_mark(parts):
    examples = [example for part in parts for example in load_parts()[part]]
    assert {span.entity for example in examples for span in example.spans} == set(Entity)
    assert any(not example.spans for example in examples)


def test_parts_share_no_text():
    texts = [example.text for examples in load_parts().values() for example in set(examples)]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("part", ["tuned", "held_out"])
def test_the_same_seed_generates_the_same_texts(part):
    assert list(generated(part, 20, seed=3)) == list(generated(part, 20, seed=3)) != list(generated(part, 20, seed=4))


def test_a_generated_text_has_no_slot_or_sign_left():
    assert not [
        text for part in ("tuned", "held_out") for text in generated(part, 200, seed=1) if set(text) & set("{}^=")
    ]


@pytest.mark.parametrize("pool", ["sentence", "given", "surname", "firm", "account", "ssn", "birth", "card", "address"])
def test_tuned_and_held_out_templates_share_nothing(pool):
    parts = tomllib.loads(Path(labelled.__file__).with_name("templates.toml").read_text())
    assert not set(parts["tuned"][pool]) & set(parts["held_out"][pool])
