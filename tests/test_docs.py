"""Everything that the documents name must exist, and everything that they show must work."""

import ast
import doctest
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from cli.main import app
from triage.strategies.registry import ModelInfo
from triage.strategies.strategy import Strategy

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *(ROOT / "docs").rglob("*.md")]
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
OPERATIONS = ROOT / "docs" / "operations.md"
PACKAGES = sorted(module.parent.name for module in ROOT.glob("*/__init__.py"))
FOLDERS = (*PACKAGES, "tests", "docs", ".github", ".ci")

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|tmp|home|Users)\b")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|docker\.io|ghcr\.io|public\.ecr\.aws|huggingface\.co"
)

Problems = set[str]


def fences(text: str, language: str) -> list[str]:
    """Return the bodies of the fenced blocks in this language."""
    return [body for info, body in FENCE.findall(text) if info.strip() == language]


def prose(text: str) -> str:
    return FENCE.sub("", text)


def spans(text: str) -> list[str]:
    return SPAN.findall(prose(text))


def shown(text: str, program: str) -> list[list[str]]:
    """Yield the arguments of each call of a program, in a console block or in a sentence."""
    lines = [line[2:] for body in fences(text, "console") for line in body.splitlines() if line.startswith("$ ")]
    found = [line for line in (*lines, *spans(text)) if line.startswith(f"{program} ") and "|" not in line]
    return [shlex.split(line, comments=True)[1:] for line in found]


def sources() -> Iterator[Path]:
    for package in (*PACKAGES, "tests"):
        yield from (path for path in (ROOT / package).rglob("*.py") if path != Path(__file__))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def written_tests() -> dict[str, bool]:
    """Return every test by name, and whether it is expected to fail."""
    return {
        node.name: any("xfail" in ast.unparse(decorator) for decorator in node.decorator_list)
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@cache
def literals() -> str:
    """Return every string in our packages, one a line, without the values of f-strings."""
    texts = [
        node.value
        for path in sources()
        if "tests" not in path.parts
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "\n".join(texts)


@cache
def words() -> frozenset[str]:
    """Return every identifier, and every word of a string, in all code and tests."""
    delivery = [*(ROOT / ".github").rglob("*.yml"), *(ROOT / ".ci").glob("*.py"), ROOT / "delivery.py"]
    files = [*sources(), *delivery, ROOT / "Makefile", ROOT / "app.py"]
    return frozenset(re.findall(r"\w+", "\n".join(file.read_text() for file in files)))


@cache
def makefile() -> str:
    return (ROOT / "Makefile").read_text()


def wrong_verbs(text: str) -> Problems:
    verbs = set(re.findall(r"^([a-z]+):", makefile(), re.MULTILINE))
    variables = set(re.findall(r"\$\(?(?:if \$\()?([A-Z]+)\)", makefile()))
    problems = set()
    for arguments in shown(text, "make"):
        verb, *settings = arguments
        names = {setting.partition("=")[0] for setting in settings}
        if verb not in verbs or not names <= variables:
            problems.add(f"make {' '.join(arguments)}")
    return problems


def wrong_commands(text: str) -> Problems:
    """The parser reads all options before it obeys `--help`, so it refuses commands and options that do not exist."""
    runner = CliRunner()
    return {
        f"triage {' '.join(arguments)}"
        for arguments in shown(text, "triage")
        if runner.invoke(app, [*arguments, "--help"]).exit_code != 0
    }


def wrong_paths(text: str) -> Problems:
    return {span for span in spans(text) if _is_path(span) and not _exists(span)}


def _is_path(span: str) -> bool:
    if not re.fullmatch(r"[\w.*/-]+", span):
        return False
    return span.split("/")[0] in FOLDERS if "/" in span else span.endswith((".py", ".toml", ".yml"))


def _exists(span: str) -> bool:
    pattern = span.rstrip("/") if "/" in span else f"**/{span}"
    return any(path for path in ROOT.glob(pattern) if ".venv" not in path.parts)


def wrong_tests(text: str) -> Problems:
    return {span for span in spans(text) if re.fullmatch(r"test_\w+", span) and span not in written_tests()}


def wrong_modules(text: str) -> Problems:
    dotted = re.compile(rf"(?:python -m )?((?:{'|'.join(PACKAGES)})(?:\.\w+)*)")
    found = {match[1] for span in spans(text) if (match := dotted.fullmatch(span)) and ("." in span or " " in span)}
    return {name for name in found if not name.endswith((".json", ".toml")) and not _is_defined(name)}


def _is_defined(name: str) -> bool:
    """Return whether this is a module or a name at the top level of one."""
    path = ROOT.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = path.parent.with_suffix(".py")
    if not module.is_file():
        return False
    return path.name in {
        *(node.name for node in parsed(module).body if isinstance(node, ast.FunctionDef | ast.ClassDef)),
        *(ast.unparse(t) for node in parsed(module).body if isinstance(node, ast.Assign) for t in node.targets),
    }


def wrong_words(text: str) -> Problems:
    """Every name with an underscore must occur in our code: it is an attribute, setting, index or function."""
    return {span for span in spans(text) if re.fullmatch(r"\w*[A-Za-z]_\w+", span) and span not in words()}


def wrong_links(text: str, document: Path) -> Problems:
    targets = [target for target in LINK.findall(prose(text)) if not target.startswith(("http:", "https:"))]
    return {target for target in targets if not _leads_somewhere(target, document, text)}


def _leads_somewhere(target: str, document: Path, text: str) -> bool:
    name, _, anchor = target.partition("#")
    file = document.parent / name if name else document
    if not file.exists():
        return False
    return not anchor or anchor in anchors(file.read_text() if name else text)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as a rendered page has them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose(text))}


def empty_diagrams(text: str) -> Problems:
    drawn = re.compile(r"\s*(?:flowchart|sequenceDiagram|stateDiagram)\b[^\n]*\n.*(?:-->|->>|-\.->)", re.DOTALL)
    return {body or "(nothing)" for body in fences(text, "mermaid") if not drawn.match(body)}


def broken_spans(text: str) -> Problems:
    """Find code spans over two lines, because these are neither shown as code nor checked."""
    return {line for line in prose(text).splitlines() if line.count("`") % 2}


def foreign_places(text: str) -> Problems:
    return {*MACHINE.findall(text), *REGISTRY.findall(text)}


def wrong_examples(text: str) -> Problems:
    """Run marked Python blocks as doctests."""
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    for body in fences(text, "python doctest"):
        runner.run(doctest.DocTestParser().get_doctest(body, {}, "document", None, 0), out=said.append)
    return set(said)


def wrong_json(text: str) -> Problems:
    """JSON that a reader may copy, such as rows and strategies, must be valid for the code."""
    problems = set()
    for body in fences(text, "json"):
        document = json.loads(body)
        try:
            if document.keys() <= Strategy.model_fields.keys() and "arms" not in document:
                for name, part in document.items():
                    TypeAdapter[object](Strategy.model_fields[name].annotation).validate_python(part)  # type: ignore[arg-type]
            else:
                (Strategy if "arms" in document else ModelInfo).model_validate_json(body)
        except ValueError as error:
            problems.add(str(error))
    return problems


def wrong_messages(text: str) -> Problems:
    """Every quotation in tables of messages and reasons must occur in a string of the code."""
    tables = re.findall(r"^\| (?:message|reason) \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    first = [row.split("|")[1] for table in tables for row in table.splitlines()]
    return {span for cell in first for span in SPAN.findall(cell) if span not in literals() and span not in words()}


def mended_limits(text: str) -> Problems:
    """Each known limit names a test that is expected to fail. If it passes, delete the line."""
    _, _, limits = text.partition("\n## Known limits\n")
    return {span for span in spans(limits) if span.startswith("test_") and not written_tests().get(span, False)}


CHECKS: dict[Callable[[str], Problems], str] = {
    wrong_verbs: "`make tea`",
    wrong_commands: "```console\n$ triage submit FILE --colour\n```",
    wrong_paths: "`triage/missing.py`",
    wrong_tests: "`test_that_nobody_wrote`",
    wrong_modules: "`triage.strategies.strategy.forget`",
    wrong_words: "`by_colour`",
    empty_diagrams: "```mermaid\nflowchart LR\n```",
    broken_spans: "say `triage\nup`",
    foreign_places: "see /root/notes",
    wrong_examples: "```python doctest\n>>> 1 + 1\n3\n```",
    wrong_json: '```json\n{"arms": []}\n```',
    wrong_messages: "| message | what to do |\n|---|---|\n| `nothing ever says this` | worry |\n",
    mended_limits: "\n## Known limits\n\n- `test_the_documents_name_and_show_what_is_there`\n",
}
"""Each with a document that it refuses."""


def named(value: object) -> str:
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else getattr(value, "__name__", "")


@pytest.mark.parametrize("check", CHECKS, ids=named)
@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_the_documents_name_and_show_what_is_there(document, check):
    assert not check(document.read_text())


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_a_document_that_is_wrong_is_refused(check):
    assert check(CHECKS[check])


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (wrong_verbs, "```console\n$ make demo COLOUR=blue\n```"),
        (wrong_commands, "`triage modles list`"),
        (wrong_commands, "`triage models list --revision x`"),
        (wrong_paths, "`nowhere.py`"),
        (wrong_modules, "`python -m local.nothing`"),
        (empty_diagrams, "```mermaid\n```"),
        (foreign_places, "from " + "pypi" + ".org"),
        (wrong_json, '```json\n{"model_id": "a/b", "revision": "main", "task": "x"}\n```'),
    ],
)
def test_other_wrong_documents_are_refused_too(check, text):
    assert check(text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document):
    assert not wrong_links(document.read_text(), document)


@pytest.mark.parametrize("target", ["missing.md", "README.md#no-such-heading", "#no-such-heading"])
def test_a_link_that_leads_nowhere_is_refused(target):
    assert wrong_links(f"[there]({target})", ROOT / "CONTRIBUTING.md") == {target}


def test_every_verb_is_explained():
    verbs = set(re.findall(r"^([a-z]+):", makefile(), re.MULTILINE))
    explained = {arguments[0] for arguments in shown((ROOT / "CONTRIBUTING.md").read_text(), "make")}
    assert explained == verbs


def test_decisions_are_numbered_short_and_complete():
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text()
        title, *sections = HEADING.findall(text)
        assert title.startswith(path.name[:4]), path.name
        assert sections == ["Context", "Decision", "Consequences"], path.name
        assert len(text.splitlines()) <= 50, path.name


def test_documents_show_something_to_check():
    """Otherwise a regular expression that no longer matches anything would pass."""
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    assert shown(text, "make") and shown(text, "triage") and fences(text, "mermaid") and fences(text, "json")
    assert fences(text, "python doctest") and LINK.search(text)
    assert any(map(_is_path, spans(text))) and any(span in written_tests() for span in spans(text))
    assert wrong_messages(OPERATIONS.read_text().replace("| `the Hub did not answer`", "| `the Hub is asleep`"))
