"""The page of evidence about challengers. `test_promotion.py` tests the command."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from cli.pages.evidence import page
from cli.pages.evidence_case import LOOKS, Case, left_out, trail
from tests.factories import NOW, any_model_reference, any_model_strategy, any_prediction, any_strategy
from tests.triage.promotion.factories import answer, any_labelled, labels
from triage.promotion.engine import course, judge
from triage.promotion.evidence import Labelled
from triage.promotion.gates import Gates
from triage.promotion.weighing import Ran, weigh
from triage.strategies.strategy import Strategy

EVEN = Gates(min_inclusion=1.0, min_labels=20, min_group=10)
CANARY = any_strategy({"champion": 9_000, "next": 1_000}, gates=EVEN)
SHADOWED = any_strategy(shadows={"next": 5_000}, gates=EVEN)
SECTIONS = (
    "Verdict",
    "Gates",
    "Intervals over time",
    "Delivered and intended shares",
    "Reliability",
    "Metrics and groups",
    "Labels that do not count",
    "Operations",
    "Versions",
)


def a_case(strategy: Strategy = CANARY, labelled: tuple[Labelled, ...] = (), **values: Any) -> Case:
    """Return a case as the command makes it. Each arm has answered complaints of some of its buckets."""
    challenger = (*strategy.challengers, *strategy.shadows)[0]
    ran = {}
    for arm in strategy.all_arms:
        first = 0 if arm == challenger else 1_000
        models = (
            any_model_reference(
                model_id=arm.model_id, revision=arm.revision, arm=arm.name, bucket=first + number, strategy_version=1
            )
            for number in range(arm.share // 100)
        )
        ran[arm.version] = Ran(tuple(any_prediction(model=model) for model in models))
    evidence = weigh(any_model_strategy(strategy), challenger, labelled, ran, positive_label=None, now=NOW)
    judgement = judge(evidence, strategy.gates, strategy.guardrails)
    default: dict[str, Any] = {
        "challenger": challenger.name,
        "evidence": evidence,
        "judgement": judgement,
        "gates": strategy.gates,
        "course": course(strategy, challenger.name, judgement, baked=True, earned=False, frozen=False),
        "labelled": labelled,
    }
    return Case(**{**default, **values})


def some(count: int = 50, **values: Any) -> tuple[Labelled, ...]:
    """Return labels: the challenger alone is right for a fifth of them, the champion alone for a tenth."""
    return tuple(labels(right=count * 7 // 10, better=count // 5, worse=count // 10, **values))


class Read(HTMLParser):
    """The headings and elements of a page, its texts for pictures, and every address that it loads from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.alternatives: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = {name: value or "" for name, value in attrs}
        self.alternatives += [given["aria-label"]] if given.get("role") == "img" else []
        places = ("src", "href", "xlink:href", "srcset", "data", "action")
        self.fetched += [given[place] for place in places if not given.get(place, "#").startswith("#")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "h3" and data.strip():
            self.headings.append(data)


def test_a_page_has_every_part_and_a_picture_of_four_of_them():
    told = Read(page([a_case(labelled=some())]))
    assert tuple(told.headings) == SECTIONS
    assert told.tags.count("svg") == 4
    assert [len(said) > 30 for said in told.alternatives] == [True] * 4


def test_a_page_loads_no_other_file():
    text = page([a_case(labelled=some())])
    assert not Read(text).fetched
    assert not {"script", "link", "iframe", "object", "image", "img"} & set(Read(text).tags)
    assert not re.findall(r"url\((?!#)|@import", text)
    named = set(re.findall(r"https?://[^\"'\s<]+", text))
    assert named == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, "names, which nobody fetches"


def test_elements_have_names_only_where_something_refers_to_them():
    """Several pictures use the same ids, so only ids that something refers to are kept."""
    text = page([a_case(labelled=some())])
    assert set(re.findall(r' id="([^"]*)"', text)) <= set(re.findall(r"#([\w.-]+)", text)) | {"challenger-1"}


@pytest.mark.parametrize("strategy", [CANARY, SHADOWED], ids=["canary", "shadow"])
def test_without_labels_the_page_has_the_same_parts_and_says_so(strategy):
    text = page([a_case(strategy)])
    assert tuple(Read(text).headings) == SECTIONS
    assert "No labels yet" in text and "There are no labels at all" in text


def test_a_shadow_delivers_nothing():
    assert "A shadow answers no complaint" in page([a_case(SHADOWED, some())])


def test_what_people_and_models_name_is_text_and_no_markup():
    nasty = "<script>alert('x')</script>$\\alpha$"
    arms = tuple(a.model_copy(update={"name": nasty}) if a.name == "next" else a for a in CANARY.arms)
    strategy = CANARY.model_copy(update={"arms": arms, "experiment": "<i>first</i>"})
    text = page([a_case(strategy, some(groups=(f"product:{nasty}",)))])
    assert not {"script", "i"} & set(Read(text).tags)
    assert text.count("&lt;script&gt;") >= 5, "in the heading, three tables and the pictures"
    assert "&lt;i&gt;first" in text


def test_the_page_names_every_version_of_the_evidence():
    case = a_case(labelled=some())
    text, evidence = page([case]), case.evidence
    for told in (evidence.champion, evidence.challenger, evidence.since, evidence.until, evidence.reference().sha256):
        assert f">{told}<" in text


def test_a_stored_document_has_no_labels_to_replay():
    document = a_case(labelled=some())
    stored = Case(challenger="next", evidence=document.evidence, judgement=document.judgement, gates=document.gates)
    text = page([stored])
    assert "holds figures and no labels" in text and Read(text).tags.count("svg") == 3


def test_each_challenger_has_its_own_part():
    text = page([a_case(), a_case(SHADOWED, challenger="other")])
    assert Read(text).headings == [*SECTIONS, *SECTIONS]
    assert ">next</h2>" in text and ">other</h2>" in text


def test_the_page_warns_if_shares_are_not_as_intended():
    case = a_case(labelled=some())
    delivered = case.evidence.delivered
    assert delivered is not None and "Complaints do not go" not in page([case])
    wrong = case.evidence.model_copy(update={"delivered": delivered.model_copy(update={"strays": 1})})
    assert "Complaints do not go" in page([a_case(labelled=some(), evidence=wrong)])


def test_each_gate_is_shown_in_words_and_by_a_mark():
    text = page([a_case(labelled=some())])
    for mark, told in (("✓", "passed"), ("…", "open")):
        assert re.search(rf"{mark}</span> {told}", text)


def test_a_test_for_one_look_is_marked_as_such():
    text = page([a_case(labelled=some())])
    assert "p, one look only" in text and "no gate rests on them" in text


def test_a_trail_ends_where_the_evidence_is_now():
    case = a_case(labelled=some(500))
    looks = trail(case)
    assert looks[-1].comparison == case.evidence.primary
    assert [look.labels for look in looks] == [*range(9, 500, 9), 500]
    assert len(looks) <= LOOKS


def test_a_trail_has_the_labels_that_count_in_order_of_time():
    late, assisted = any_labelled(10, challenger=answer(False)), any_labelled(1, blind=False)
    looks = trail(a_case(labelled=(late, assisted, any_labelled(5))))
    assert [(look.labels, look.comparison.difference) for look in looks] == [(1, 0.0), (2, -0.5)]


def test_labels_that_do_not_count_are_listed_by_reason():
    strategy = any_strategy({"champion": 9_000, "next": 1_000}, gates=Gates(min_inclusion=0.05))
    labelled = (
        any_labelled(0),
        any_labelled(1, inclusion=None),
        any_labelled(2, inclusion=0.01, blind=False),
        any_labelled(3, blind=False),
        any_labelled(4, blind=False),
    )
    found = left_out(a_case(strategy, labelled))
    assert list(found.values()) == [1, 1, 2]
    assert [reason[:12] for reason in found] == ["not drawn at", "drawn with a", "drawn, but t"]
    assert left_out(a_case(labelled=(any_labelled(),))) == {}
