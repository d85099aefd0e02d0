"""The farm on one machine: several child processes, each with one task at a time."""

import os
import time
from collections.abc import Hashable
from multiprocessing.connection import wait
from types import TracebackType
from typing import Generic

from lammpsfit.child.patience import LOOK_S
from lammpsfit.child.process import ChildProcess, Task
from lammpsfit.errors import InputError, LammpsfitError
from lammpsfit.farm.base import Finished, Result


class LocalFarm(Generic[Result]):
    """Workers on this machine. Use as a context manager.

    Parameters
    ----------
    workers
        Number of child processes.
    """

    def __init__(self, workers: int) -> None:
        numbers = range(1, worker_count(workers) + 1)
        self._idle = {number: ChildProcess[Result]() for number in numbers}
        self._busy: dict[int, tuple[ChildProcess[Result], Hashable, float]] = {}
        self._retired: set[int] = set()
        self._error: LammpsfitError | None = None

    def __enter__(self) -> "LocalFarm[Result]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in (*self._idle.values(), *(process for process, *_ in self._busy.values())):
            process.close()

    @property
    def workers(self) -> int:
        """Number of workers that are given work."""
        return len(self._idle) + len(self._busy.keys() - self._retired)

    @property
    def idle(self) -> int:
        """Number of workers without a task."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Number of workers with a task."""
        return len(self._busy)

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, avoid: int | None = None
    ) -> None:
        """Give a task to the worker that rested longest, to another than `avoid` if it can be."""
        number = min(self._idle, key=lambda number: number == avoid)
        process = self._idle.pop(number)
        self._busy[number] = process, key, time.monotonic()
        process.start(task, timeout)

    def elsewhere(self, worker: int) -> bool:
        """Whether a task can be submitted now that avoids a worker, if there is another one."""
        return bool(self._idle.keys() - {worker}) or (self.workers == 1 and bool(self._idle))

    def retire(self, worker: int) -> None:
        """Give no more work to a worker; a task that it is at still comes back."""
        self._retired.add(worker)
        if worker in self._idle:
            self._idle.pop(worker).close()

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back."""
        until = time.monotonic() + seconds
        busy = {number: process for number, (process, *_) in self._busy.items()}
        done: list[int] = []
        while busy and not done:
            left = max(0.0, until - time.monotonic())
            due = min(process.time_left for process in busy.values())
            connections = [process.connection for process in busy.values()]
            readable = wait(connections, timeout=min(left, due, LOOK_S / 2))
            done = [n for n, process in busy.items() if process.connection in readable]
            done += [n for n, process in busy.items() if n not in done and process.late]
            if left == 0.0:
                break
        finished: list[Finished[Result]] = []
        for number in done:
            self._collect(number, finished)
        if self._error is not None and not finished:
            raise self._error
        return finished

    def _collect(self, number: int, finished: list[Finished[Result]]) -> None:
        """Take what is back; an error waits until nothing sound could be lost by raising it."""
        process, key, began = self._busy.pop(number)
        if number not in self._retired:
            self._idle[number] = process
        try:
            result = process.result()
        except LammpsfitError as error:
            self._error = error
        else:
            finished.append(Finished(key, result, time.monotonic() - began, number))
        if number in self._retired:
            process.close()


MOST_WORKERS = 1000
"""Workers of one machine, however many share a core."""


def worker_count(wanted: int | None) -> int:
    """Return the number of workers wanted; by default one for each available core.

    Raises
    ------
    InputError
        If it is below 1 or above :data:`MOST_WORKERS`.
    """
    if wanted is not None and wanted < 1:
        raise InputError(f"workers must be at least 1, got {wanted}")
    if wanted is not None and wanted > MOST_WORKERS:
        raise InputError(f"workers must be at most {MOST_WORKERS}, got {wanted}")
    return available_cores() if wanted is None else wanted


def available_cores() -> int:
    """Count the cores this process may use (its affinity, which batch systems set)."""
    return len(os.sched_getaffinity(0))
