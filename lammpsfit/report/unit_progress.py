"""Progress of few long runs: a bar on a terminal, a line as each begins and ends elsewhere."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lammpsfit.words import time_words


class UnitProgress:
    """Shows which runs are at work and which are done.

    Parameters
    ----------
    console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._running: list[str] = []
        self._done = self._total = 0

    def say(self, line: str) -> None:
        """Write a line; above the bar, if there is one."""
        self._console.print(Text(line), soft_wrap=True)

    def begin(self, names: Sequence[str], done: int) -> None:
        """Begin the runs `names`; `done` others are on disk already."""
        self._done, self._total = 0, len(names)
        if done:
            self.say(f"{done} finished run(s) are on disk already")
        if names:
            self.say(f"{len(names)} run(s) to do: {', '.join(names)}")
        if names and self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._bar.add_task("", total=len(names))
            self._bar.start()

    def started(self, name: str) -> None:
        """See a run begin."""
        self._running.append(name)
        self._show()
        if self._bar is None:
            self.say(f"{name}: running")

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """See a run end."""
        self._running.remove(name)
        self._done += 1
        self._show()
        self.say(f"{name}: {outcome} after {time_words(seconds)} ({self._done} of {self._total})")

    def end(self) -> None:
        """Stop showing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show(self) -> None:
        if self._bar is not None:
            running = ", ".join(self._running)
            self._bar.update(self._bar.task_ids[0], completed=self._done, description=running)
