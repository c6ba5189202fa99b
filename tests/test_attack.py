"""A broken defence shows in the table of attacks and in the exit code, whatever the others do."""

from pathlib import Path
from typing import Any

import pytest

from cli.progress import ProgressLines
from tests.attack.__main__ import ATTACKS
from tests.attack.attacks import Attack, Outcome, Target, carry_out, judged, report


def held(target: Target) -> Outcome:
    return judged([], "3 requests were refused")


def succeeded(target: Target) -> Outcome:
    return judged(["the tables are empty", "a key was accepted"], "3 requests were refused")


def impossible(target: Target) -> Outcome:
    raise RuntimeError("the models\n  are missing")


HELD, BROKEN, IMPOSSIBLE = (Attack(run.__name__, run) for run in (held, succeeded, impossible))


def tried(tmp_path: Path, *attacks: Attack) -> tuple[int, list[str]]:
    """Return the exit code, and what was told of the progress."""
    lines: list[str] = []
    target: Any = Target(machine=None, folder=tmp_path)  # type: ignore[arg-type]  # these attacks need no deployment
    return report(carry_out(attacks, target, ProgressLines(lines.append))), lines


def test_where_all_hold_the_table_says_so_and_the_exit_code_is_nought(tmp_path, capsys):
    code, lines = tried(tmp_path, HELD)
    said = capsys.readouterr().out
    assert code == 0
    assert "1 attacks" in said and "held" in said and "3 requests were refused" in said and "BROKEN" not in said
    assert "held" in lines and lines[-1].startswith("Attacking: done")


@pytest.mark.parametrize("order", [(HELD, BROKEN, HELD), (BROKEN, HELD), (BROKEN,)], ids=len)
def test_one_broken_defence_is_told_with_all_that_was_achieved_and_fails_the_run(tmp_path, capsys, order):
    code, _ = tried(tmp_path, *order)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "BROKEN" in line)
    assert code == 1
    assert "succeeded" in row and "the tables are empty; a key was accepted" in row


def test_an_attack_that_could_not_be_carried_out_proves_nothing_and_the_others_still_run(tmp_path, capsys):
    code, _ = tried(tmp_path, IMPOSSIBLE, HELD)
    said = capsys.readouterr().out
    assert code == 1
    assert "could not be carried out: RuntimeError: the models are missing" in said and "3 requests" in said


def test_a_run_without_attacks_fails(tmp_path):
    assert tried(tmp_path)[0] == 1


def test_every_attack_has_a_name_of_its_own():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) > 10
    assert len({attack.run for attack in ATTACKS}) == len(ATTACKS)
