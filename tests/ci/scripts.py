"""Loads the scripts of .ci, and makes programs that stand in for the ones that these scripts call."""

import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """#!{python}
import json, sys
from pathlib import Path

folder, name = Path({folder!r}), {name!r}
calls = folder / "calls.jsonl"
with calls.open("a") as file:
    print(json.dumps([name, *sys.argv[1:]]), file=file)
for wanted, output, code in json.loads((folder / (name + ".json")).read_text()):
    if wanted in " ".join(sys.argv[1:]):
        print(output)
        sys.exit(code)
"""


def script(name: str) -> ModuleType:
    spec = spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    # A dataclass looks its module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Programs:
    """A folder at the front of PATH. Each program notes how it is called and answers what it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(self, name: str, *answers: tuple[str, Any, int]) -> None:
        """answers: words in the arguments, what is then printed, and the exit code. The first match counts."""
        told = [
            (words, output if isinstance(output, str) else json.dumps(output), code) for words, output, code in answers
        ]
        (self.folder / f"{name}.json").write_text(json.dumps(told))
        program = self.folder / name
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(self.folder), name=name))
        program.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """Return the arguments of each call of a program, in order."""
        file = self.folder / "calls.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == name]
