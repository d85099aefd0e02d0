"""How far the reading of a trajectory is: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lammpsfit.report.progress import LINE_EVERY_S


class FrameProgress:
    """Shows what is being done and how many frames of it are.

    Parameters
    ----------
    console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._bar: Progress | None = None
        self._last_line = time.monotonic()

    def __enter__(self) -> "FrameProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """See that `done` of `total` frames (None: not known) are done with `what`."""
        if self._console.is_terminal:
            self._show(what, done, total)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            of = "" if total is None else f" of {total}"
            self._console.print(f"{what}: {done}{of} frames", highlight=False)

    def _show(self, what: str, done: int, total: int | None) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("frames"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
        if what != self._what:
            self._what = what
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(what, total=total)
        self._bar.update(self._bar.task_ids[0], completed=done)
