from triage.redaction.entities import Entity, Span, blanked, merged


def test_placeholders_name_the_entity():
    assert Entity.DATE_OF_BIRTH.placeholder == "[DATE_OF_BIRTH]"


def test_spans_that_overlap_become_one_and_the_longest_names_it():
    spans = [Span(5, 9, Entity.EMAIL), Span(0, 6, Entity.NAME)]
    assert merged(spans) == (Span(0, 9, Entity.NAME),)


def test_of_two_of_one_length_the_first_entity_names_it():
    assert merged([Span(0, 4, Entity.ACCOUNT), Span(0, 4, Entity.CARD)]) == (Span(0, 4, Entity.CARD),)


def test_spans_that_touch_stay_apart():
    spans = (Span(0, 4, Entity.NAME), Span(4, 6, Entity.PHONE))
    assert merged(reversed(spans)) == spans


def test_placeholders_are_blanked_out_in_place():
    assert blanked("I am [NAME], [THING]") == "I am \x00\x00\x00\x00\x00\x00, [THING]"
