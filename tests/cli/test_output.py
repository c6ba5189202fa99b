"""What comes from outside is shown, and commands no terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import harmless, out, print_json, print_table

CLEAR = "\x1b[2J\x1b]0;owned\x07"
TURNED = "a\u202eb"
C1 = "\x9b31m"


@pytest.mark.parametrize("text", [CLEAR, TURNED, C1, "\r\x08"])
def test_no_output_obeys_what_an_id_says(text, capsys):
    out.print(text)
    print_table("Title", ["id"], [[text]])
    print_json({"id": text})
    printed = capsys.readouterr().out
    assert not set(printed) & set(text) & set("\x1b\x07\x08\r\x9b\u202e")
    assert printed.count("\\u") >= 3


def test_lines_letters_and_marks_stay_as_they_are():
    text = "Zürich, ¿qué?\n\t\U0001f600"
    assert harmless(text) == text


@given(st.text())
def test_json_says_the_same(text):
    assert json.loads(harmless(json.dumps({"id": text}, ensure_ascii=False))) == {"id": text}
