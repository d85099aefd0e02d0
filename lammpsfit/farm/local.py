"""The farm on one machine: several child processes, each with one task at a time."""

import os
import time
from collections.abc import Hashable
from multiprocessing.connection import wait
from types import TracebackType
from typing import Generic

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
        return len(self._idle) + len(self._busy)

    @property
    def resting(self) -> tuple[int, ...]:
        """Numbers of the idle workers, whoever rested longest first."""
        return tuple(self._idle)

    @property
    def idle(self) -> int:
        """Number of workers without a task."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Number of workers with a task."""
        return len(self._busy)

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, worker: int | None = None
    ) -> None:
        """Give a task to an idle worker, by default to the one that rested longest."""
        number = next(iter(self._idle)) if worker is None else worker
        process = self._idle.pop(number)
        self._busy[number] = process, key, time.monotonic()
        process.start(task, timeout)

    def retire(self, worker: int) -> None:
        """Give no more work to a worker, which must be idle."""
        self._idle.pop(worker).close()

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back."""
        now = time.monotonic()
        busy = {number: process for number, (process, *_) in self._busy.items()}
        due = min((process.deadline for process in busy.values()), default=now)
        readable = wait(
            [process.connection for process in busy.values()],
            timeout=max(0.0, min(seconds, due - now)),
        )
        now = time.monotonic()
        finished: list[Finished[Result]] = []
        for number, process in busy.items():
            if process.connection in readable or process.deadline <= now:
                self._collect(number, finished)
        if self._error is not None and not finished:
            raise self._error
        return finished

    def _collect(self, number: int, finished: list[Finished[Result]]) -> None:
        """Take what is back; an error waits until nothing sound could be lost by raising it."""
        process, key, began = self._busy.pop(number)
        self._idle[number] = process
        try:
            result = process.result()
        except LammpsfitError as error:
            self._error = error
        else:
            finished.append(Finished(key, result, time.monotonic() - began, number))


def worker_count(wanted: int | None) -> int:
    """Return the number of workers wanted; by default one for each available core.

    Raises
    ------
    InputError
        If it is below 1.
    """
    if wanted is not None and wanted < 1:
        raise InputError(f"workers must be at least 1, got {wanted}")
    return available_cores() if wanted is None else wanted


def available_cores() -> int:
    """Count the cores this process may use (its affinity, which batch systems set)."""
    return len(os.sched_getaffinity(0))
