"""Progress of work that counts up: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lammpsfit.report.progress import LINE_EVERY_S


class CountProgress:
    """Shows what is being done and how much of it is. Use one of its kinds, as a context manager.

    Parameters
    ----------
    console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._bar: Progress | None = None
        self._last_line = -float("inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _see(self, what: str, done: int, total: int | None, state: str, line: str) -> None:
        """Show `state` behind the bar, or print `line`."""
        if self._console.is_terminal:
            self._show(what, done, total, state)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._console.print(Text(line), soft_wrap=True)

    def _show(self, what: str, done: int, total: int | None, state: str) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}", markup=False),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
        if what != self._what:
            self._what = what
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(what, total=total, state=state)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, state=state)


class FrameProgress(CountProgress):
    """Frames of a trajectory. Off a terminal, what takes less than a second says nothing."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._last_line = time.monotonic()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """See that `done` of `total` frames (None: not known) are done with `what`."""
        of = "" if total is None else f" of {total}"
        self._see(what, done, total, "frames", f"{what}: {done}{of} frames")


class StepProgress(CountProgress):
    """Steps that each have something to say."""

    def __call__(self, what: str, done: int, total: int, state: str) -> None:
        """See that `done` of at most `total` steps of `what` are done."""
        if what != self._what and not self._console.is_terminal:
            self._what, self._last_line = what, -float("inf")  # the first line of each is printed
        self._see(what, done, total, state, f"{what} {done}/{total}: {state}")
