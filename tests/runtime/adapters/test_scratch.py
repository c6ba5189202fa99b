"""What an ended function leaves in its temporary folder does not fill the disk of the next one."""

import ast
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

ROOT = Path(__file__).parents[3]
LEAVING = "import os, tempfile; from runtime.adapters.scratch import scratch; "


def ended_in_the_middle(temporary: Path) -> list[str]:
    """Load two bundles in a process that is then ended, as AWS ends it, and return the files that it leaves."""
    leave = "[open(tempfile.mkdtemp(dir=scratch('bundles')) + '/weights', 'w').close() for _ in range(2)]; os._exit(1)"
    command = [sys.executable, "-c", LEAVING + leave]
    environment = {"TMPDIR": str(temporary), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    assert subprocess.run(command, cwd=ROOT, env=environment).returncode == 1
    return [path.name for path in temporary.rglob("*") if path.is_file()]


def test_a_process_removes_what_the_last_one_left_and_nothing_of_its_own(tmp_path):
    assert ended_in_the_middle(tmp_path) == ["weights"] * 2
    assert ended_in_the_middle(tmp_path) == ["weights"] * 2


HOLDING = "print(scratch('mirror') / 'download', flush=True); (scratch('mirror') / 'download').touch(); "


def test_a_process_leaves_what_another_one_still_uses(tmp_path):
    environment = {"TMPDIR": str(tmp_path), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", LEAVING + HOLDING + "input()"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True) as first:
        assert first.stdin and first.stdout
        downloading = Path(first.stdout.readline().strip())
        second = [sys.executable, "-c", LEAVING + HOLDING]
        subprocess.run(second, cwd=ROOT, env=environment, check=True, capture_output=True)
        assert downloading.exists()
        first.communicate("\n")
    subprocess.run(second, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert not downloading.exists()


def test_no_function_makes_a_temporary_folder_beside_those_that_are_emptied():
    made = [
        node
        for file in (ROOT / "runtime").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith("tempfile.")
        and "gettempdir" not in ast.unparse(node)
    ]
    assert made
    places = [{word.arg: ast.unparse(word.value) for word in call.keywords}.get("dir", "") for call in made]
    assert all(place.startswith("scratch(") for place in places), places
