from triage.redaction.firms import phrases
from triage.redaction.lexicon import load_lexicon


def test_a_first_name_is_certain_or_ambiguous_but_not_both():
    lexicon = load_lexicon()
    assert lexicon.given and lexicon.ambiguous and not lexicon.given & lexicon.ambiguous


def test_months_brands_and_words_are_no_certain_names():
    assert not {"may", "april", "chase", "grace", "will", "bank", "dave"} & load_lexicon().given


def test_double_names_are_known_by_either_part():
    assert load_lexicon().is_surname("O'Connor-Zzyzx")
    assert not load_lexicon().is_ordinary("Account-Zzyzx")


def test_firms_are_known_by_their_words():
    assert ("stanley",) in phrases()["morgan"]
