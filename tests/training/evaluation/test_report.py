import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.training.evaluation.examples import any_flagging, any_judged, any_predictions, evaluated, evaluation_of
from training.bundle.folder import CARD, DATA, PAGE
from training.evaluation.baseline import LINEAR
from training.evaluation.evaluation import MODEL, document, with_own_curve
from training.evaluation.learning import Point, extrapolate
from training.evaluation.report import card_section, columns, page, write_report

RISING = [Point(size, 0.9 - 2 * size**-0.4) for size in (100, 200, 400, 800, 1600)]

VOID = {"img", "meta", "br"}


class Tags(HTMLParser):
    """Parses a page and fails if its tags are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag, attrs):
        self.pictures += tag == "img" and bool(dict(attrs)["alt"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("task", ["product", "vulnerable"])
def test_the_page_is_well_formed_and_loads_no_other_file(task):
    made, tags = page(evaluated(task)), Tags()
    tags.feed(made)
    assert not tags.open
    assert tags.pictures == 4 + 5, "one for each way to look at it, and one for each kind of slice"
    assert not re.findall(r"(?:src|href)=\"(?!data:)", made)


@pytest.mark.parametrize("judged", [any_judged(1), any_flagging(1), any_judged(2), any_flagging(2)])
def test_a_handful_of_complaints_has_a_report_too(judged):
    evaluation = evaluation_of(any_predictions(judged))
    assert page(evaluation) and card_section(evaluation)
    assert json.dumps(document(evaluation), allow_nan=False)


def test_what_is_not_reached_is_shown_as_not_reached():
    evaluation = evaluated()
    human = replace(evaluation.measured.humans[0], verdict="not reached")
    poor = replace(evaluation, measured=replace(evaluation.measured, humans=(human,)))
    assert re.search(r'class="verdict not-reached">\s*not reached', page(poor))
    assert "not reached" in card_section(poor)


def test_the_page_explains_why_the_rule_does_not_read_the_tag():
    assert "100 % by definition" in page(evaluated("vulnerable"))
    assert "100 % by definition" not in page(evaluated())


def test_figures_that_flatter_are_warned_of_before_anything_else():
    evaluation = evaluated()
    flattered = replace(evaluation, subject=replace(evaluation.subject, seen=evaluation.n))
    made = page(flattered)
    assert made.index("figures are too good") < made.index("<h2>")
    assert "figures are too good" in card_section(flattered)


def test_baselines_stand_beside_the_model():
    evaluation = replace(evaluated(), baselines={"constant": evaluated().measured})
    assert list(columns(evaluation)) == ["model", "constant", "model, bank-like mix"]
    assert ">constant<" in page(evaluation)
    assert "| constant |" in card_section(evaluation)


def test_a_learning_curve_is_drawn_and_says_when_it_leads_nowhere():
    points = [Point(size, 0.5) for size in (100, 200, 400, 800, 1600)]
    made = page(replace(evaluated(), learning={LINEAR: extrapolate(points, measure="accuracy")}))
    assert "Cannot be extrapolated:</strong> the figure does not grow" in made
    assert "At 3,200 examples" in page(replace(evaluated(), learning={LINEAR: extrapolate(RISING, measure="accuracy")}))


def test_the_models_own_curve_stands_before_that_of_its_baseline():
    linear = replace(evaluated(), learning={LINEAR: extrapolate(RISING, measure="accuracy")})
    both = with_own_curve(linear, RISING[:4], examples=1600, positive=None)
    assert list(both.learning) == [MODEL, LINEAR]
    assert both.learning[MODEL].points[-1] == Point(1600, evaluated().measured.figures["accuracy"] or 0.0)
    assert [line for line in page(both).splitlines() if ", accuracy." in line] == [
        "<b>model</b>, accuracy.",
        "<b>TF-IDF + linear</b>, accuracy.",
    ]


def test_where_one_label_is_looked_for_the_curve_is_of_the_ranking():
    both = with_own_curve(evaluated("vulnerable"), [], examples=60, positive="vulnerable")
    assert both.learning[MODEL].measure == "average_precision"
    assert both.learning[MODEL].points[-1].value == evaluated("vulnerable").measured.figures["average_precision"]


def test_names_from_outside_are_escaped():
    evaluation = evaluated()
    named = replace(evaluation, subject=replace(evaluation.subject, model="<script>alert(1)</script>"))
    assert "<script>" not in page(named)


def test_page_data_and_card_are_written_side_by_side(tmp_path):
    evaluation = evaluated()
    assert write_report(evaluation, tmp_path / "new") == tmp_path / "new" / PAGE
    told = json.loads((tmp_path / "new" / DATA).read_text())
    assert told["accuracy"] == document(evaluation)["accuracy"]
    assert (tmp_path / "new" / CARD).read_text() == card_section(evaluation)


def test_the_same_evaluation_gives_the_same_page():
    assert page(evaluated()) == page(evaluated())
