from collections.abc import Callable

import pytest

from cli import main

Ended = tuple[int, str, str]
"""Exit code, standard output, standard error."""


@pytest.fixture
def shell(monkeypatch, capsys) -> Callable[..., Ended]:
    """Runs the command as the shell does."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["triage", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
        code = ended.value.code
        assert isinstance(code, int) or code is None
        return code or 0, *capsys.readouterr()

    return run
