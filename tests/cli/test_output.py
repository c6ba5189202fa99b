"""Text from outside is shown with its control characters escaped."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import harmless, out, print_json, print_table

CLEAR = "\x1b[2J\x1b]0;owned\x07"
TURNED = "a\u202eb"
C1 = "\x9b31m"


@pytest.mark.parametrize("text", [CLEAR, TURNED, C1, "\r\x08"])
def test_control_characters_in_an_id_are_escaped_in_every_output(text, capsys):
    out.print(text)
    print_table("Title", ["id"], [[text]])
    print_json({"id": text})
    printed = capsys.readouterr().out
    assert not set(printed) & set(text) & set("\x1b\x07\x08\r\x9b\u202e")
    assert printed.count("\\u") >= 3


def test_printable_characters_are_not_changed():
    text = "Zürich, ¿qué?\n\t\U0001f600"
    assert harmless(text) == text


@given(st.text())
def test_escaped_json_has_the_same_value(text):
    assert json.loads(harmless(json.dumps({"id": text}, ensure_ascii=False))) == {"id": text}
