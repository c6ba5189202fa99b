import pytest

from training.redaction.labelled import Example, read
from training.redaction.measure import Score, measure
from triage.redaction import Entity, Span


def test_a_mark_that_is_found_in_part_counts_as_found_and_its_rest_as_not_hidden():
    text = "my name is John Smith and"
    score = measure([Example(text, (Span(11, 25, Entity.NAME),))])[Entity.NAME]
    assert (score.recall, score.precision) == (1, 1)
    assert score.hidden_share == pytest.approx(10 / 14)


def test_characters_found_outside_a_mark_are_harmed():
    score = measure([read("I am John Smith")])[Entity.NAME]
    assert (score.precision, score.harmed_share) == (0, 1)


def test_a_mark_found_as_another_entity_is_hidden_but_not_recalled():
    score = measure([read("I wrote to <phone>a@b.com</phone>")])[Entity.PHONE]
    assert (score.recall, score.hidden_share) == (0, 1)


def test_without_marks_and_finds_all_figures_are_perfect():
    assert measure([read("nothing here")])[Entity.CARD] == Score()
    assert (Score().recall, Score().precision, Score().hidden_share, Score().harmed_share) == (1, 1, 1, 0)
