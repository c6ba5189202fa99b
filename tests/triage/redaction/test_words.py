from triage.redaction.words import adjoin, words_of


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
