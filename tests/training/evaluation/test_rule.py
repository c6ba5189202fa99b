from dataclasses import replace

import pytest

from tests.training.evaluation.examples import any_flagging, any_predictions
from training.evaluation.evaluation import says_so, with_rule
from training.evaluation.measures import figures


def saying(narrative: str, *, to: int):
    """Return predictions in which one complaint has this narrative."""
    predictions = any_predictions(any_flagging())
    rows = [replace(row, narrative=narrative) if place == to else row for place, row in enumerate(predictions.rows)]
    return replace(predictions, rows=tuple(rows))


def test_a_narrative_that_states_the_vulnerability_is_flagged_whatever_the_model_says():
    judged = any_flagging()
    unflagged = int((judged.given == 0).argmax())
    ruled = with_rule(saying("I am a disabled veteran.", to=unflagged))
    assert ruled.given[unflagged] == 1
    assert (ruled.given != judged.given).sum() == 1


def test_the_rule_only_ever_adds():
    predictions = saying("I am a widow.", to=3)
    alone, ruled = figures(predictions.judged), figures(with_rule(predictions))
    assert alone["recall"] is not None and ruled["recall"] is not None
    assert ruled["recall"] >= alone["recall"]


def test_the_rule_does_not_read_the_tag_of_the_form():
    predictions = any_predictions(any_flagging())
    tagged = predictions.rows[int(predictions.judged.true.argmax())]
    assert tagged.vulnerable
    assert not says_so(tagged)


def test_a_task_that_looks_for_nothing_has_no_rule():
    with pytest.raises(ValueError, match="does not look for a label"):
        with_rule(any_predictions())
