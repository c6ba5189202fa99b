import re
import subprocess
import sys

from triage import errors
from triage.errors import TransientError, TriageError, permanent


def below(error: type[TriageError]) -> set[type[TriageError]]:
    return {error}.union(*(below(child) for child in error.__subclasses__()))


def ours() -> set[type[TriageError]]:
    return {error for error in below(TriageError) if error.__module__.startswith("triage.")}


def test_an_error_is_either_transient_or_permanent():
    for error in ours() - {TriageError}:
        assert issubclass(error, TransientError) != (error.__name__ in permanent())


def test_a_broken_contract_is_permanent():
    assert "ValidationError" in permanent()


def test_the_tree_names_every_error():
    drawn = set(re.findall(r"\b\w+Error\b", (errors.__doc__ or "").split("\n\n", 1)[1]))
    assert drawn == {error.__name__ for error in ours()}


def test_the_permanent_errors_do_not_depend_on_what_was_imported():
    printed = subprocess.run(
        [sys.executable, "-c", "from triage.errors import permanent; print(*permanent())"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "UnknownProductError" in printed


def test_names_are_in_order_so_that_templates_do_not_change():
    assert list(permanent()) == sorted(set(permanent()))
