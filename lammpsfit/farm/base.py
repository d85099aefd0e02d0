"""What a farm is: many evaluations at once, wherever the workers are."""

from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from lammpsfit.child.failure import Failure
from lammpsfit.child.process import Task

Result = TypeVar("Result")


@dataclass(frozen=True)
class Finished(Generic[Result]):
    """A task that came back.

    Attributes
    ----------
    key
        What the task was submitted under.
    result
        Its result, or why it failed.
    seconds
        Wall-clock time it took; of a task that ran in parts, of all of them in sum.
    worker
        Number of the worker that ran it, from 1: under MPI its rank, with Parsl that of its node;
        0 where nobody can tell any more, or there were several.
    """

    key: Hashable
    result: Result | Failure
    seconds: float
    worker: int


@dataclass(frozen=True)
class Part:
    """What a part of a task is submitted under: the key of the whole, and its own name."""

    whole: Hashable
    name: str


class Farm(Protocol[Result]):
    """Workers with one task at a time each.

    A context manager: leaving it, for whatever reason, ends what still runs.
    """

    @property
    def workers(self) -> int:
        """Number of workers that are given work."""

    @property
    def idle(self) -> int:
        """Number of workers without a task."""

    @property
    def busy(self) -> int:
        """Number of workers with a task."""

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, avoid: int | None = None
    ) -> None:
        """Give a task to an idle worker, to another than `avoid` where there is another one.

        There must be one: see :attr:`idle` and :meth:`elsewhere`. `timeout` is in seconds; a task
        that is not done by then is ended and has failed.
        """

    def elsewhere(self, worker: int) -> bool:
        """Whether a task can be submitted now that avoids a worker.

        So it can where another one is idle; where there is no other, by that one itself.
        """

    def retire(self, worker: int) -> None:
        """Give no more work to a worker; a task that it is at still comes back."""

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back.

        Raises
        ------
        LammpsfitError
            If a task was refused for its input, or broke for a reason that is no property of
            the potential (disk full, a bug).
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class FarmAround(Generic[Result]):
    """What a farm around a farm leaves to the one inside.

    Parameters
    ----------
    farm
        The workers.
    """

    def __init__(self, farm: Farm[Result]) -> None:
        self._farm = farm

    def __enter__(self) -> Self:
        self._farm.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._farm.__exit__(kind, error, trace)

    @property
    def workers(self) -> int:
        """Number of workers that are given work."""
        return self._farm.workers

    @property
    def idle(self) -> int:
        """Number of workers without a task that no task waits for."""
        return self._farm.idle

    def elsewhere(self, worker: int) -> bool:
        """Whether a task can be submitted now that avoids a worker, if there is another one."""
        return self.idle > 0 and self._farm.elsewhere(worker)

    def retire(self, worker: int) -> None:
        """Give no more work to a worker; a task that it is at still comes back."""
        self._farm.retire(worker)
