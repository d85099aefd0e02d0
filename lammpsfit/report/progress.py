"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from lammpsfit.target.objective import STRUCTURE, minimised
from lammpsfit.words import time_words

Record = Mapping[str, Any]

LINE_EVERY_S: Final = 1.0
"""Least time in s between two plain lines, so that a night's log stays readable."""


class ProgressMonitor:
    """Shows evaluations as they finish, with the best objective so far and the time left.

    Parameters
    ----------
    console
        Where to write. A terminal gets a bar, anything else a line now and then.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._what = ""
        self._total: int | None = None
        self._done = self._failed = self._given_up = self._new = 0
        self._best = float("inf")
        self._began = self._last_line = time.monotonic()

    def say(self, line: str) -> None:
        """Write a line, outside of any part of the work."""
        self._console.print(Text(line), soft_wrap=True)

    def begin(self, what: str, total: int | None, done: int) -> None:
        """Begin a part of the work, `done` of `total` evaluations being there already."""
        self._what, self._total, self._done = what, total, done
        self._failed = self._given_up = self._new = 0
        self._best = float("inf")
        self._began = time.monotonic()
        self._last_line = -float("inf")
        if done:
            self._console.print(f"{what}: {done} evaluations are in the journal already")
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                console=self._console,
            )
            self._task = self._bar.add_task(what, total=total, completed=done, state="")
            self._bar.start()

    def finished(self, record: Record) -> None:
        """See a finished evaluation."""
        self._done += 1
        self._new += 1
        if record["status"] == "ok":
            self._best = min(self._best, objective_of(record)[0])
        elif record["status"] == "censored":
            self._given_up += 1
        else:
            self._failed += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, state=self._state())
        elif time.monotonic() - self._last_line >= LINE_EVERY_S or self._done == self._total:
            self._last_line = time.monotonic()
            of = "" if self._total is None else f"/{self._total}"
            self._console.print(Text(f"{self._what} {self._done}{of}: {self._state(record)}"))

    def end(self) -> None:
        """End the part of the work."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _state(self, record: Record | None = None) -> str:
        parts = []
        if record is not None:
            stage = record.get("stage", record.get("label", ""))
            parts.append(f"{stage} {_outcome(record)}")
        parts.append("best –" if self._best == float("inf") else f"best {100 * self._best:.2f} %")
        if self._given_up:
            parts.append(f"{self._given_up} given up")
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._total is not None and self._done < self._total:
            pace = (time.monotonic() - self._began) / self._new
            parts.append(f"{time_words(pace * (self._total - self._done))} left")
        return ", ".join(parts)


def objective_of(record: Record) -> tuple[float, float]:
    """Return what was minimised of a record, with its error."""
    value, error = record["objective"]
    return float(value), float(error)


def minimised_of(record: Record) -> str:
    """Name what was minimised, by a record that has it."""
    return minimised([record, *record.get("also", ())], record.get("terms") or [STRUCTURE])


def _outcome(record: Record) -> str:
    if record["status"] == "censored":
        return f"given up, {minimised_of(record)} > {100 * record['given_up']['bound']:.2f} %"
    if record["status"] == "ok":
        value, error = objective_of(record)
        return f"{minimised_of(record)} = {100 * value:.2f} ± {100 * error:.2f} %"
    return f"failed ({record['reason']})"
