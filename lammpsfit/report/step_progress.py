"""Progress of work in steps that each have something to say: a bar, or lines off a terminal."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from lammpsfit.report.progress import LINE_EVERY_S


class StepProgress:
    """Shows how many steps are done and what the last one said. Use as a context manager.

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

    def __enter__(self) -> "StepProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int, state: str) -> None:
        """See that `done` of at most `total` steps of `what` are done."""
        if self._console.is_terminal:
            self._show(what, done, total, state)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S or what != self._what:
            self._what = what
            self._last_line = time.monotonic()
            self._console.print(Text(f"{what} {done}/{total}: {state}"), soft_wrap=True)

    def _show(self, what: str, done: int, total: int, state: str) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}", markup=False),
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
