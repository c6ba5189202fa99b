import pytest

from training.redaction.labelled import HELD_OUT, TUNED, load_parts, read
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
def test_every_entity_is_marked_and_every_kind_has_texts_without_any(parts):
    examples = [example for part in parts for example in load_parts()[part]]
    assert {span.entity for example in examples for span in example.spans} == set(Entity)
    assert any(not example.spans for example in examples)


def test_parts_share_no_text():
    texts = [example.text for examples in load_parts().values() for example in set(examples)]
    assert len(texts) == len(set(texts))
