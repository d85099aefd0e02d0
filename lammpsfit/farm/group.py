"""A group of ranks that runs every evaluation together, LAMMPS being MPI-parallel over it.

The ranks run LAMMPS themselves, without children, and so without their isolation:

- A rank that dies, say of a memory error, takes the whole job down. The journal tells who it was:
  see :mod:`lammpsfit.fit.run.job_killers`.
- Where only one rank sees an error, the others hang in MPI for ever (lammps issue 3773). That rank
  tells rank 0, which records the failure and gives the group up; the other groups go on.
- A group that hangs answers no more. Rank 0 waits beyond the timeout, then does the same.
- Between two ``run`` commands, some fifty steps, the leader looks whether rank 0 wants the
  group to stop, or time is up; the ranks stop together then. Within LAMMPS nothing stops them.

Rank 0 gives tasks to the leader, the first rank of a group, which passes them on and alone
answers. To halt and to leave, rank 0 tells every rank itself.
"""

import time
from enum import IntEnum
from typing import Any, Final

from mpi4py import MPI

from lammpsfit.child.failure import Failure, Reason, SimulationError
from lammpsfit.child.main import run
from lammpsfit.child.patience import Patience
from lammpsfit.child.process import ParentError
from lammpsfit.errors import RunError, StoppedError
from lammpsfit.farm.messages import (
    GRACE_S,
    GROUP,
    LEAVE,
    LOST,
    TASK,
    Answer,
    Naps,
    Order,
    complete,
    look,
)
from lammpsfit.md.session import Ranks, on_ranks

CHUNK_S: Final = 30.0
"""Longest time between two ``run`` commands that counts against an evaluation."""


class Verdict(IntEnum):
    """What the leader says between two ``run`` commands."""

    GO_ON = 0
    HALT = 1
    LATE = 2


def serve_group(comm: MPI.Intracomm, size: int) -> None:
    """Run tasks for rank 0, `size` ranks each, until it says to leave, on every other rank."""
    group, status = Group(comm, size), MPI.Status()
    while True:
        content, tag = group.receive(status)
        if tag == TASK:
            if (answer := group.run(content)) is not None:
                complete(comm.isend(answer[0], 0, answer[1]))
            continue
        if tag == GROUP:  # it is one already: another farm was opened on these ranks
            continue
        complete(comm.isend(None, 0, tag))
        if tag == LEAVE:
            return


class Group:
    """The group of this rank.

    Parameters
    ----------
    comm
        Communicator of rank 0 and all groups.
    size
        Number of ranks in a group; they are neighbours in `comm`, from rank 1 on.
    """

    def __init__(self, comm: MPI.Intracomm, size: int) -> None:
        first = comm.rank - (comm.rank - 1) % size
        self._comm = comm
        # LAMMPS gets a communicator of its own: what one rank left in there reaches none of ours
        self._control = comm.Create_group(comm.group.Incl(range(first, first + size)))
        self._lammps = self._control.Dup()
        self._patience = Patience(float("inf"))

    @property
    def leads(self) -> bool:
        """Whether this rank is the one rank 0 talks to."""
        return bool(self._control.rank == 0)

    def receive(self, status: MPI.Status) -> tuple[Any, int]:
        """Wait for a message of rank 0 or the leader; return its content and tag."""
        naps = Naps()
        while True:
            for comm in (self._comm, self._control):
                if (message := look(comm, status)) is not None:
                    tag = int(status.tag)
                    return complete(message.irecv()), tag
            naps.sleep()

    def run(self, order: Order) -> tuple[Answer, int] | None:
        """Run a task with the other ranks of the group.

        Returns
        -------
        tuple or None
            What this rank has to tell rank 0, and the tag to tell it under.
        """
        began = time.monotonic()
        self._patience = Patience(order.timeout, longest=CHUNK_S)
        if self.leads:
            members = range(1, self._control.size)
            for request in [self._control.isend(order, rank, TASK) for rank in members]:
                complete(request)
        with on_ranks(Ranks(self._lammps, self._between)):
            result = _told_apart(run(order.task))
        if isinstance(result, ParentError) and isinstance(result.error, StoppedError):
            return None
        failed = isinstance(result, Failure | ParentError)
        if not self._all_here(GRACE_S if failed else float("inf")):
            return Answer(result, time.monotonic() - began), LOST
        failures = self._control.gather(result if failed else None)
        if failures is None:
            return None
        first = next((failure for failure in failures if failure is not None), result)
        return Answer(first, time.monotonic() - began), TASK

    def _between(self) -> None:
        """Stop all ranks alike if rank 0 says so or time is up."""
        verdict = Verdict.GO_ON
        if self.leads and self._comm.iprobe(source=0):
            verdict = Verdict.HALT
        elif self.leads and self._patience.over:
            verdict = Verdict.LATE
        verdict = self._control.bcast(verdict)
        if verdict == Verdict.HALT:
            raise StoppedError("halted by rank 0")
        if verdict == Verdict.LATE:
            raise SimulationError(Reason.TIMEOUT, "the run was ended")

    def _all_here(self, seconds: float) -> bool:
        """Wait until all ranks are at the end of the task; False if that takes too long."""
        request, naps = self._control.Ibarrier(), Naps()
        until = time.monotonic() + seconds
        while not request.Test():
            if time.monotonic() > until:
                return False
            naps.sleep()
        return True


def _told_apart(result: object) -> object:
    """Make a bug or a broken machine an error that rank 0 raises."""
    if isinstance(result, ParentError) and isinstance(result.error, RuntimeError):
        return ParentError(RunError(f"a worker broke:\n{result.error}"))
    return result
