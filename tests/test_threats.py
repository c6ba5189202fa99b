"""Each threat in the document names a test or the remaining risk. `test_docs.py` checks that the tests exist."""

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[1] / "docs" / "threats.md"
TABLE = re.compile(r"^\| threat \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
FLOW = re.compile(r"^## \d+\. .+$", re.MULTILINE)
THREAT = re.compile(r"\| [STRIDE] \| .+ \| .+ \| (.+) \|")
ANSWER = re.compile(r"`test_\w+`|\*\*(?:open|accepted)\*\*: ")


def unanswered(text: str) -> set[str]:
    rows = {row for table in TABLE.findall(text) for row in table.splitlines()}
    return {row for row in rows if not ((threat := THREAT.fullmatch(row)) and ANSWER.search(threat[1]))}


def test_every_threat_is_held_off_by_a_test_or_said_to_remain():
    assert not unanswered(DOCUMENT.read_text())


def test_every_flow_has_threats_of_each_kind():
    flows, tables = (expression.findall(DOCUMENT.read_text()) for expression in (FLOW, TABLE))
    assert flows
    for flow, table in zip(flows, tables, strict=True):
        assert {row[2] for row in table.splitlines()} == set("STRIDE"), flow


@pytest.mark.parametrize(
    "row", ["| S | it is forged | keys | trust us |", "| X | it is forged | keys | `test_of_keys` |", "| S | it is |"]
)
def test_a_threat_without_an_answer_is_found(row):
    assert unanswered(f"| threat | what | held off | test |\n|---|---|---|---|\n{row}\n") == {row}
