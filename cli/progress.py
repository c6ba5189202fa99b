"""Progress of long work on standard error: a bar in a terminal, a line every 30 seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.output import err

EVERY_SECONDS = 30.0
"""Least time between two lines about the same work."""


class Bar(Protocol):
    """The methods of `rich.progress.Progress` that commands use; both kinds of progress have them."""

    def add_task(self, description: str, *, total: float | None = ...) -> TaskID:
        """Begin a piece of work. total: how many units it has, None where that is not known."""
        ...

    def advance(self, task_id: TaskID, advance: float = ..., /) -> None:
        """Count more units as done."""
        ...

    def update(self, task_id: TaskID, *, total: float | None = ..., completed: float | None = ...) -> None:
        """Set the number of units, or how many of them are done."""
        ...


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """Give a bar in a terminal; anywhere else, such as in a file or a pipe, an object that prints lines."""
    if not err.is_terminal:
        yield ProgressLines(lambda line: err.print(line, soft_wrap=True))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        yield bar


@dataclass
class _Task:
    description: str
    total: float | None
    began: float
    printed: float
    completed: float = 0.0
    ended: bool = False


class ProgressLines:
    """Prints a line when work begins, at most every `every` seconds while it goes on, and when it ends.

    now: returns seconds from any fixed moment.
    """

    def __init__(
        self,
        print_line: Callable[[str], None],
        *,
        now: Callable[[], float] = time.monotonic,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._print, self._now, self._every = print_line, now, every
        self._tasks: list[_Task] = []

    def add_task(self, description: str, *, total: float | None = 100.0) -> TaskID:
        self._tasks.append(_Task(description, total, began=self._now(), printed=self._now()))
        self._print(description)
        return TaskID(len(self._tasks) - 1)

    def advance(self, task_id: TaskID, advance: float = 1.0, /) -> None:
        self.update(task_id, completed=self._tasks[task_id].completed + advance)

    def update(self, task_id: TaskID, *, total: float | None = None, completed: float | None = None) -> None:
        task, now = self._tasks[task_id], self._now()
        task.total = task.total if total is None else total
        task.completed = task.completed if completed is None else completed
        if task.ended:
            return
        if task.total is not None and task.completed >= task.total:
            task.ended = True
            self._print(f"{task.description}: done in {duration(now - task.began)}")
        elif now - task.printed >= self._every:
            task.printed = now
            self._print(f"{task.description}: {_state(task, now - task.began)}")


def _state(task: _Task, elapsed: float) -> str:
    so_far = f"{duration(elapsed)} elapsed"
    if not task.total or not task.completed:
        return so_far
    share = task.completed / task.total
    return f"{100 * share:.0f} % done, {so_far}, about {duration(elapsed * (1 - share) / share)} remaining"


def duration(seconds: float) -> str:
    """
    >>> duration(7.4), duration(150), duration(7_320)
    ('7 s', '2 min 30 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


class Steps:
    """Shows the steps of some work one after the other. Beginning a step ends the one before it."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._step: str | None = None
        self._task: TaskID | None = None
        self._total: float | None = None

    def next(self, name: str, *, total: float | None = None) -> None:
        """Begin a step. total: how many units it has, None where that is not known."""
        self.end()
        self._step, self._total = name, total
        self._task = self._bar.add_task(name, total=total)

    def advance(self, more: float) -> None:
        """Count more units of the step as done."""
        if self._task is not None:
            self._bar.advance(self._task, more)

    def share(self, name: str, done: float) -> None:
        """Show which share of the step `name` is done, 0 to 1. If another step is shown, end it and begin this one."""
        if name != self._step:
            self.next(name, total=100)
        if self._task is not None:
            self._bar.update(self._task, completed=round(100 * done))

    def end(self) -> None:
        """Show the current step as done. `advance` does nothing until the next step begins."""
        if self._task is not None:
            total = 1.0 if self._total is None else self._total
            self._bar.update(self._task, total=total, completed=total)
        self._step = self._task = None
