"""Words that somebody may type after `triage`: known commands with options that they have, and strange values."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st

from cli.main import ENTRIES, LazyCommand
from tests.fuzz.inputs import STRANGE

BEGIN_SOMETHING = {"demo", "up", "down", "train", "evaluate", "publish", "dataset", "preflight", "smoke", "explain"}
"""They start servers, learn, ask the public Hub or wait for functions that are not here."""

WAITS = {"--wait", "--register", "--timeout"}
VALUES = ("1", "8123456", "0", "-1", "product", "Mortgage", "ann", "7d", "1e9", "acme/model", "acme/model@" + "0" * 40)


def arguments() -> st.SearchStrategy[list[str]]:
    return st.sampled_from(sorted(commands())).flatmap(_words)


@cache
def commands() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the options of each command that only reads and writes tables."""
    found = {}
    for name, entry in ENTRIES.items():
        if name not in BEGIN_SOMETHING:
            for path, command in _leaves((name,), LazyCommand(name, entry).load()):
                options = {
                    option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
                }
                found[path] = tuple(sorted(one for one in options - WAITS if one.startswith("-")))
    return found


def _leaves(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _leaves((*path, name), inner)
    else:
        yield path, command


def _words(path: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    # A path must not lead out of the folder of the test.
    strange = [text for text in STRANGE if "/" not in text and "\\x00" not in text and len(text) < 1000]
    value = st.sampled_from([*VALUES, *strange]) | st.text(st.characters(codec="utf-8", exclude_characters="/\\x00"))
    option = st.sampled_from(commands()[path] or ("--json",))
    word = value | option
    pair = st.tuples(option, value).map(list)
    said = st.lists(pair | word.map(lambda one: [one]), max_size=4)
    return said.map(lambda parts: [*path, *(word for part in parts for word in part), "--env", "dev"])
