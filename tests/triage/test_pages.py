import ast
import unicodedata
from pathlib import Path

import pytest

from triage.pages import harmless, write_page

ROOT = Path(__file__).parents[2]
WRITERS = [*(ROOT / "cli").rglob("*.py"), ROOT / "training" / "evaluation" / "report.py"]
HIDDEN = [
    chr(place)
    for place in range(0x110000)
    if unicodedata.category(chr(place)) == "Cc"
    or unicodedata.bidirectional(chr(place)) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    or chr(place) in "\u061c\u200e\u200f"
]


@pytest.mark.parametrize("existed", [False, True])
def test_a_page_is_for_its_owner_alone(tmp_path, existed):
    page = tmp_path / "page.html"
    if existed:
        page.write_text("an older and longer page")
        page.chmod(0o644)
    write_page(page, "<p>é</p>")
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.read_text() == "<p>é</p>"


def test_no_character_of_a_page_changes_what_the_others_look_like(tmp_path):
    write_page(tmp_path / "page.html", "".join(HIDDEN))
    written = (tmp_path / "page.html").read_text()
    assert not set(written) & set(HIDDEN) - {"\n", "\t"}
    assert harmless("\u202e") == "\\u202e"


def test_a_picture_is_written_as_it_is(tmp_path):
    write_page(tmp_path / "page.png", b"\x89PNG\x00")
    assert (tmp_path / "page.png").read_bytes() == b"\x89PNG\x00"


def writes(module: Path):
    """Yield the lines on which a module writes a file by itself."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in {"write_text", "write_bytes"}:
            yield node.lineno


def test_everything_that_people_read_is_written_as_a_page():
    found = {module.relative_to(ROOT).as_posix(): lines for module in WRITERS if (lines := [*writes(module)])}
    assert not found


def test_a_module_that_writes_by_itself_is_found(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("from pathlib import Path\nPath('page.html').write_text('')\n")
    assert list(writes(module)) == [2]
