"""What rank 0 and the other ranks say to each other, and how they wait for it without spinning.

A blocking MPI call spins, and would take the core away from whoever works there.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

from mpi4py import MPI

from lammpsfit.child.process import Task

TASK: Final = 1
"""From rank 0: run this. The answer comes back under the same tag."""

HALT: Final = 2
"""From rank 0: stop what is running. The worker says so under the same tag."""

LEAVE: Final = 3
"""From rank 0: stop what is running, say so, and leave."""

GROUP: Final = 4
"""From rank 0: from now on, this many ranks run each task together."""

LOST: Final = 5
"""To rank 0, from any rank of a group: a task failed here, and the others hang in it."""

GRACE_S: Final = 10.0
"""Seconds a worker gets to stop what it runs. Only one that hangs needs more."""

SHORTEST_S: Final = 0.001
LONGEST_S: Final = 0.02
"""Between two looks for messages: short after one came, then longer, so that waiting is free."""

PROBES: Final = 16
"""Probes of one look. A probe moves a message on by a step only, and costs 0.3 microseconds."""


@dataclass(frozen=True)
class Order:
    """A task and its timeout in s, from rank 0 to a worker."""

    task: Task[Any]
    timeout: float


@dataclass(frozen=True)
class Answer:
    """What came of a task, and the wall-clock seconds it took, from a worker to rank 0."""

    result: Any
    seconds: float


class Naps:
    """Sleeps that grow from 1 to 20 ms while nothing happens."""

    def __init__(self) -> None:
        self._length = SHORTEST_S

    def sleep(self, longest: float = LONGEST_S) -> None:
        """Sleep, at most `longest` seconds."""
        time.sleep(min(self._length, longest))
        self._length = min(2 * self._length, LONGEST_S)


def look(comm: MPI.Comm, status: MPI.Status) -> MPI.Message | None:
    """Return the next message to this rank, if one is here."""
    for _ in range(PROBES):
        if (message := comm.improbe(status=status)) is not None:
            return message
    return None


def complete(request: MPI.Request) -> Any:
    """Wait for a message to be over without spinning; return its content, if it is received."""
    naps = Naps()
    while True:
        done, content = request.test()
        if done:
            return content
        naps.sleep()
