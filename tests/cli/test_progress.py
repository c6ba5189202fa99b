"""Progress without a terminal: lines with share, elapsed and remaining time, at intervals."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from cli.progress import Bar, ProgressLines, Steps, progress_bar


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def printed():
    return []


@pytest.fixture
def bar(printed, clock) -> Bar:
    return ProgressLines(printed.append, now=clock, every=30)


def test_work_prints_its_share_elapsed_and_remaining_time_every_thirty_seconds(bar, printed, clock):
    task = bar.add_task("Redacting", total=400)
    for _ in range(100):
        clock.seconds += 1
        bar.advance(task)
    assert printed == [
        "Redacting",
        "Redacting: 8 % done, 30 s elapsed, about 6 min 10 s remaining",
        "Redacting: 15 % done, 1 min 0 s elapsed, about 5 min 40 s remaining",
        "Redacting: 22 % done, 1 min 30 s elapsed, about 5 min 10 s remaining",
    ]


def test_the_end_is_printed_once(bar, printed, clock):
    task = bar.add_task("Submitting", total=2)
    clock.seconds = 90
    bar.update(task, completed=2)
    bar.update(task, completed=2)
    assert printed == ["Submitting", "Submitting: done in 1 min 30 s"]


def test_work_of_unknown_size_prints_the_elapsed_time_alone(bar, printed, clock):
    task = bar.add_task("Submitting", total=None)
    clock.seconds = 7_320
    bar.advance(task, 5)
    bar.update(task, total=5)
    assert printed == ["Submitting", "Submitting: 2 h 2 min elapsed", "Submitting: done in 2 h 2 min"]


def test_a_step_ends_where_the_next_begins(bar, printed, clock):
    steps = Steps(bar)
    steps.next("Reading")
    clock.seconds = 3
    steps.next("Predicting", total=10)
    steps.advance(4)
    clock.seconds = 10
    steps.end()
    steps.end()
    assert printed == ["Reading", "Reading: done in 3 s", "Predicting", "Predicting: done in 7 s"]


def test_shares_of_steps_begin_and_end_their_steps(bar, printed, clock):
    steps = Steps(bar)
    steps.share("prepare", 1.0)
    clock.seconds = 60
    steps.share("train", 0.0)
    clock.seconds = 120
    steps.share("train", 0.25)
    steps.share("train", 1.0)
    steps.end()
    assert printed == [
        "prepare",
        "prepare: done in 0 s",
        "train",
        "train: 25 % done, 1 min 0 s elapsed, about 3 min 0 s remaining",
        "train: done in 1 min 0 s",
    ]


def test_outside_a_terminal_lines_go_to_standard_error(capsys):
    with progress_bar() as shown:
        shown.update(shown.add_task("Publishing", total=1), completed=1)
    printed = capsys.readouterr()
    assert (printed.out, printed.err.splitlines()) == ("", ["Publishing", "Publishing: done in 0 s"])


def test_a_terminal_shows_a_bar(monkeypatch):
    screen = StringIO()
    monkeypatch.setattr("cli.progress.err", Console(file=screen, force_terminal=True))
    with progress_bar() as shown:
        assert isinstance(shown, Progress)
        shown.update(shown.add_task("Publishing", total=1), completed=1)
    assert "Publishing" in screen.getvalue()
