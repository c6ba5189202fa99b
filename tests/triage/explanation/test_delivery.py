import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_allocation, any_decision, any_explanation, any_model_reference
from triage.errors import NothingToExplainError, TextChangedError
from triage.explanation.delivery import WITHHELD, deliver
from triage.explanation.selected import deciding_model
from triage.redaction import redact_aligned, redact_text
from triage.story import sha256_of_text

PERSONAL = "I am John Smith, call (212) 555-0187. They closed my account."
HANDED = {"requester": "ann", "delivered_at": "2026-03-02T09:30:00.000Z"}


@given(st.lists(st.sampled_from([PERSONAL, "mail a@b.com", "card 4111 1111 1111 1111", "plain words."])).map(" ".join))
def test_aligned_redaction_gives_the_same_text_as_redaction(text):
    redacted, origins = redact_aligned(text)
    assert redacted == redact_text(text)
    assert len(origins) == len(redacted) and list(origins) == sorted(origins)


def test_what_leaves_is_redacted_although_the_model_read_it_all():
    entry = any_explanation(PERSONAL, ends=(38, len(PERSONAL)))
    delivered = deliver(entry, PERSONAL, **HANDED)
    assert [passage.text for passage in delivered.sentences] == [
        "I am [NAME], call [PHONE]. ",
        "They closed my account.",
    ]
    assert delivered.unread == ""


def test_text_that_the_model_did_not_read_is_handed_out_separately():
    delivered = deliver(any_explanation(PERSONAL, ends=(38,)), PERSONAL, **HANDED)
    assert delivered.unread == "They closed my account."


def test_places_in_a_text_that_the_model_read_redacted_are_places_in_the_redacted_text():
    read = redact_text(PERSONAL)
    entry = any_explanation(read, ends=(27, len(read)), redaction_version="1")
    assert "".join(passage.text for passage in deliver(entry, PERSONAL, **HANDED).sentences) == read


def test_an_explanation_of_a_changed_text_is_not_handed_out():
    with pytest.raises(TextChangedError):
        deliver(any_explanation(PERSONAL, ends=(38,)), PERSONAL + " More.", **HANDED)


def test_a_record_has_no_words_of_the_text():
    entry = any_explanation(PERSONAL, ends=(38, len(PERSONAL)))
    assert entry.read_sha256 == sha256_of_text(PERSONAL)
    assert not [word for word in ("John", "closed", "555") if word in entry.model_dump_json()]


def test_the_model_that_decided_is_explained():
    models = [any_model_reference(task=task) for task in ("product", "urgency")]
    allocation = any_allocation(decisions=tuple(map(any_decision, models)))
    assert deciding_model(allocation, task="urgency") == models[1]
    with pytest.raises(NothingToExplainError, match="product, urgency"):
        deciding_model(allocation, task="issue")


GERMAN = "Mein Name ist Hannelore Krause und Sie haben mein Konto gesperrt."


def test_words_in_another_language_are_withheld_and_their_figures_stay():
    entry = any_explanation(GERMAN, ends=(30, len(GERMAN)))
    delivered = deliver(entry, GERMAN, **HANDED)
    assert "Krause" not in delivered.model_dump_json()
    assert [passage.text for passage in delivered.sentences] == [WITHHELD, WITHHELD]
    assert [p.label for p in delivered.sentences] == [found.label for found in entry.explained.sentences]


def test_one_sentence_in_another_language_is_withheld_from_an_english_letter():
    english = "I called the bank and they told me that my account was closed. "
    delivered = deliver(
        any_explanation(english * 4 + GERMAN, ends=(len(english) * 4, len(english * 4 + GERMAN))),
        english * 4 + GERMAN,
        **HANDED,
    )
    assert [passage.text for passage in delivered.sentences] == [english * 4, WITHHELD]


def test_what_the_model_did_not_read_is_withheld_too():
    assert deliver(any_explanation(GERMAN, ends=(14,)), GERMAN, **HANDED).unread == WITHHELD
