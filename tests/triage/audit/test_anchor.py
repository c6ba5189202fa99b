import pytest

from triage.audit.anchor import Anchor, chain_of, contradictions
from triage.audit.chain import Link


def chain(*entries: str, complaint_id: str = "1", sealed_at: str = "2026-03-02T09:30:00.123Z") -> list[Link]:
    links: list[Link] = []
    for entry in entries:
        last = links[-1] if links else None
        stated = {"complaint_id": complaint_id, "sealed_at": sealed_at, "code_version": "test"}
        links.append(Link.after(last, entry=entry, content={"entry": entry}, **stated))
    return links


LINKS = chain("SELECTION", "PREDICTION#a", "ALLOCATION")
ANCHORS = [Anchor.of(link) for link in LINKS]


def details(links, anchors) -> list[str]:
    return [detail for _, detail in contradictions(links, anchors)]


def test_a_chain_that_is_what_was_anchored_is_contradicted_by_nothing():
    assert details(LINKS, ANCHORS) == []
    assert details(LINKS, ANCHORS[-1:]) == [], "only the end of each sealing is anchored"
    assert details(LINKS[1:], ANCHORS) == [], "the first links may have expired"
    assert details([], ANCHORS) == [], "the whole chain may have expired"


def test_a_chain_that_was_written_anew_is_contradicted():
    """Whoever may write both tables can write a chain that verifies."""
    forged = chain("SELECTION", "PREDICTION#b", "ALLOCATION")
    assert [link.is_sound for link in forged] == [True] * 3
    assert details(forged, ANCHORS) == [f"link {number} is not the one that was anchored" for number in (2, 3)]


def test_a_chain_that_was_begun_anew_has_no_anchor():
    forged = chain("SELECTION", "PREDICTION#a", "ALLOCATION", sealed_at="2026-03-02T09:30:00.124Z")
    assert chain_of(forged[0]) != chain_of(LINKS[0])
    assert details(forged, []) == ["the chain ends at link 3, which was not anchored"]


def test_a_chain_whose_end_was_cut_off_is_contradicted():
    assert details(LINKS[:2], ANCHORS) == ["the chain ends at link 2, and link 3 was anchored"]


def test_two_anchors_of_one_link_contradict_whatever_it_is():
    forged = Anchor.of(chain("SELECTION", "PREDICTION#a", "FAILURE#a")[-1])
    assert details(LINKS, [*ANCHORS, forged]) == ["link 3 is not the one that was anchored"]


def test_an_anchor_is_read_back_from_its_key():
    assert [Anchor.read(anchor.key) for anchor in ANCHORS] == ANCHORS
    assert ANCHORS[0].key.startswith(f"{chain_of(LINKS[0])}/000001-")


@pytest.mark.parametrize("key", ["", "readme.txt", f"{'0' * 64}/000001", f"x/000001-{'0' * 64}"])
def test_any_other_object_is_no_anchor(key):
    assert Anchor.read(key) is None


def test_an_anchor_names_no_complaint_and_complaints_share_no_chain():
    other = chain("SELECTION", complaint_id="2")
    assert "8123456" not in Anchor.of(chain("SELECTION", complaint_id="8123456")[0]).key
    assert chain_of(other[0]) != chain_of(LINKS[0])
