from triage.redaction.lexicon import adjoin, firms, load_lexicon, words_of


def test_a_first_name_is_certain_or_ambiguous_but_not_both():
    lexicon = load_lexicon()
    assert lexicon.given and lexicon.ambiguous and not lexicon.given & lexicon.ambiguous


def test_months_brands_and_words_are_no_certain_names():
    assert not {"may", "april", "chase", "grace", "will", "bank", "dave"} & load_lexicon().given


def test_double_names_are_known_by_either_part():
    assert load_lexicon().is_surname("O'Connor-Zzyzx")
    assert not load_lexicon().is_ordinary("Account-Zzyzx")


def test_firms_are_found_by_their_first_word():
    assert ("stanley",) in firms()["morgan"]


def test_words_keep_what_joins_a_name_and_lose_a_genitive():
    assert [word.text for word in words_of("Jean-Luc O'Neill-O'Hara's 3rd card")] == [
        *("Jean-Luc", "O'Neill-O'Hara", "s", "rd", "card"),
    ]


def test_an_initial_may_have_a_stop_and_a_word_may_not():
    text = "J. P. Smith. Then"
    first, second, last, then = words_of(text)
    assert adjoin(text, first, second) and adjoin(text, second, last) and not adjoin(text, last, then)


def test_brands_and_scrubbed_words_are_told_from_names():
    loan_star, mckay, scrubbed = words_of("LoanStar McKay XXXX")
    assert loan_star.is_brand and not mckay.is_brand and scrubbed.is_scrubbed
