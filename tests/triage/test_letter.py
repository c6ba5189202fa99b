"""Letters as mail programs write them: `letters/NAME.*` is one, `letters/NAME.message` what it says."""

import hashlib
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from tests.factories import any_complaint
from triage.letter import LETTER_VERSION, markup, read_letter, spoken
from triage.text import clean
from triage.vulnerability import stated

FOLDER = Path(__file__).parent / "letters"
LETTERS = {path.stem: path for path in sorted(FOLDER.glob("*")) if path.suffix != ".message"}
PIECES = st.sampled_from(
    [
        *("<p>", "</p>", "<b>", "</b>", "<div>", "</div>", "<blockquote>", "</blockquote>", "<br>", "<!--", "-->"),
        *(
            "<style>",
            "</style>",
            "<table><td>",
            "<li>",
            "<p hidden>",
            '<div class="gmail_quote">',
            '<div id="appendonsend">',
        ),
        *(
            "&lt;",
            "&amp;",
            "&",
            "<",
            ">",
            "&lt;p&gt;",
            "<XXXX>",
            ">>",
            "--",
            "word",
            "\x01",
            "\x02",
            "\ud800",
            "\n",
            "\r\n",
            " ",
        ),
        *("From:", "Sent:", "To:", "Subject:", "wrote:", "On Mon, Jan 5, 2026 at 3:15 PM x@y wrote:", "Sincerely,"),
        *("Sent from my iPhone", "-----Original Message-----", "MIME-Version: 1.0", "Content-Type: text/html"),
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n",
    ]
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=30).map("".join) | st.lists(PIECES, max_size=30).map("\n".join)


@pytest.mark.parametrize("name", LETTERS)
def test_the_message_of_a_letter_is_what_its_writer_wrote_last(name):
    assert spoken(LETTERS[name].read_text()) == clean((FOLDER / f"{name}.message").read_text())


@pytest.mark.parametrize("name", sorted(LETTERS.keys() - {"plain", "forwarded"}))
def test_older_messages_are_kept_apart(name):
    quoted = " ".join(read_letter(LETTERS[name].read_text()).quoted)
    assert name == "whole" or quoted
    assert clean(quoted) in read_letter(LETTERS[name].read_text()).said


def test_the_version_changes_with_what_the_reader_does():
    """Raise LETTER_VERSION with the digest: a replay tells by it why a text differs from its record."""
    read = repr([read_letter(path.read_text()) for path in LETTERS.values()])
    assert (LETTER_VERSION, hashlib.sha256(read.encode()).hexdigest()[:16]) == ("1", "1f0b19dc85038e00")


def test_older_messages_come_newest_first():
    first, second = read_letter(LETTERS["thread"].read_text()).quoted
    assert "payment is late" in first and "Where is my statement" in second


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("gmail", "Jane Roe"),
        ("outlook", "Kind regards,\nJane Roe"),
        ("apple", "Sent from my iPhone"),
        ("bottom", "-- \nJane Roe"),
        ("thread", "Sent from my Galaxy"),
        ("plain", ""),
    ],
)
def test_signatures_are_kept_apart(name, signature):
    assert read_letter(LETTERS[name].read_text()).signature == signature


def test_the_subject_of_a_whole_mail_is_said():
    assert read_letter(LETTERS["whole"].read_text()).subject == "Fee of €5"
    assert "Fee of €5" in read_letter(LETTERS["whole"].read_text()).said


@pytest.mark.parametrize(
    "text",
    [
        "Sincerely,\n\nJane Roe",
        "I wrote on Monday.\nOn Tuesday she wrote:\nwe are sorry.\nThat is no help.",
        "Late:\n30 days\n> 60 days?\n90 days",
        "Dear Sir\n\n-- I never agreed -- to this.\nThank you, and please reply.",
        "From: my own account\nI sent money.",
        "Send <name> to <address> by <date> if a<b or x > y &c. &notice; R&D",
        "MIME-Version: what is this?",
        "One\rtwo\x0bthree",
    ],
)
def test_a_plain_letter_is_its_own_message(text):
    letter = read_letter(text)
    assert (letter.message, letter.signature, letter.quoted) == (text, "", ())


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<p>One</p><p>two</p>", "One two"),
        ("<ul><li>One<li>two</ul><table><tr><td>a<td>b<tr><td>c</table>", "One two a b c"),
        (
            "One<script>x</script><style>y</style><!-- z --><span hidden>h</span><i style='font-size: 0px'>f</i> two",
            "One two",
        ),
        ("AT&amp;T &lt; $5 &#8364;", "AT&T < $5 €"),
        ("&lt;p&gt;One&lt;/p&gt;two", "One two"),
        ("<p>Paid <XXXX> to <date></p>", "Paid <XXXX> to <date>"),
        ("One <b>two</b>\nthree<img alt=x src=y>", "One two three"),
        ("<div style='display:none'>all of it</div>", "all of it"),
        ("> All\n> of it", "All of it"),
        ("<blockquote>All of it</blockquote>", "All of it"),
        ("-- \nJane", "-- Jane"),
        ("<p></p>&nbsp;", ""),
    ],
)
def test_text_is_what_a_reader_sees(raw, text):
    assert spoken(raw) == text


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("MIME-Version: 1\nContent-Type: text/html; charset=hex\nContent-Transfer-Encoding: base64\n\n<p>=")
@example("MIME-Version: 1\nContent-Type: multipart/mixed\nSubject: =?hex?b?=?=\n\nword")
def test_no_text_raises_an_error_and_reading_again_changes_nothing(text):
    once = spoken(text)
    assert spoken(once) == once
    assert read_letter(text).said.startswith(once)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters="<>&-\x01\x02", exclude_categories=["Cc", "Zl", "Zp"])))
def test_one_line_without_signs_is_its_own_message(text):
    assert read_letter(text).message == text


@pytest.mark.parametrize("element", ["div", "blockquote", "b", "ul><li", "table><tr><td"])
def test_elements_may_be_nested_as_deeply_as_a_letter_is_long(element):
    raw = f"<br>{f'<{element}>' * 5_000}deep"
    assert spoken(raw) == "deep"


def work(raw):
    """Count the lines of our code that reading a letter runs."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if "triage/letter" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read_letter(raw)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "piece",
    [
        "> a\n",
        "On a\n",
        "On ",
        "From: a\n",
        "From: a\nSent: b\nTo: c\n",
        "\n",
        "Sincerely,\n",
        "<p>a",
        "<div>",
        "<!--",
        "<style>",
        "&lt;p&gt;",
    ],
)
def test_work_grows_with_the_length_alone(piece):
    assert work(piece * 800) < 2.2 * work(piece * 400) + 100


def test_no_tree_is_built_of_large_markup(monkeypatch):
    read = []

    def parser(text):
        read.append(text)
        return LexborHTMLParser(text)

    monkeypatch.setattr(markup, "LexborHTMLParser", parser)
    assert spoken("<p>word</p>" * 30_000) == clean("word " * 30_000)
    assert not read
    assert spoken("<p>word</p>") == "word"
    assert len(read) == 1


@pytest.mark.parametrize("name", [name for name, path in LETTERS.items() if "mortgage payment" in path.read_text()])
def test_words_of_harm_are_heard_in_older_messages(name):
    raw = LETTERS[name].read_text().replace("mortgage payment", "mortgage. I want to kill myself. The payment")
    complaint = any_complaint(narrative=raw)
    (source,) = (one for one in stated(complaint) if one.urgent)
    assert "kill myself" in complaint.said[source.start : source.end]
    assert "kill myself" not in complaint.narrative
    assert complaint.said.startswith(complaint.narrative)
