"""The farm of an MPI job: rank 0 hands out tasks, the other ranks see to them.

With one rank per evaluation no rank runs LAMMPS itself: each supervises a child process, outside
MPI, so that one that dies costs its task and not the job. Messages go between rank 0 and a worker
only, and nobody blocks on one. Several ranks per evaluation are a :mod:`lammpsfit.farm.group`.
"""

import sys
import time
import traceback
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic

from mpi4py import MPI

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.child.patience import Patience
from lammpsfit.child.process import ChildProcess, ParentError, Task
from lammpsfit.errors import LammpsfitError, RunError
from lammpsfit.farm.base import Finished, Result
from lammpsfit.farm.messages import (
    GRACE_S,
    GROUP,
    HALT,
    LEAVE,
    LONGEST_S,
    LOST,
    TASK,
    Answer,
    Naps,
    Order,
    complete,
    look,
)

PATIENCE: Final = 1.5
"""Times its timeout a group gets, and :data:`GRACE_S`: one that is only slow ends by itself."""


@dataclass(frozen=True)
class Busy:
    """What a worker is at.

    Attributes
    ----------
    key
        Of the task.
    send
        The message that brought it.
    began
        When it was sent, by the monotonic clock.
    patience
        Time that it has until the worker is given up.
    """

    key: Hashable
    send: MPI.Request
    began: float
    patience: Patience


class MpiFarm(Generic[Result]):
    """Workers on the other ranks of an MPI job, which :func:`serve`. Only rank 0 has one.

    Parameters
    ----------
    comm
        Communicator of rank 0 and its workers.
    ranks
        Ranks per evaluation, of which the number of other ranks is a multiple. A worker is a
        group of them then, known by its first rank.
    lost
        Ranks that hang and are given up; those that come to it are put in here.
    """

    def __init__(self, comm: MPI.Comm, ranks: int = 1, lost: set[int] | None = None) -> None:
        self._comm = comm
        self._ranks = ranks
        self._lost = set[int]() if lost is None else lost
        self._idle = list(range(1, comm.size, ranks))
        self._error: Exception | None = None
        self._busy: dict[int, Busy] = {}
        self._retired: set[int] = set()
        self._receives: list[tuple[int, int, MPI.Request]] = []  # from whom, under which tag

    def __enter__(self) -> "MpiFarm[Result]":
        if self._ranks > 1:
            for rank in range(1, self._comm.size):
                complete(self._comm.isend(self._ranks, rank, GROUP))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lost |= dismiss(self._comm, HALT, self._lost)
        if not self._lost:
            # MPI complains at its end of messages whose end nobody has seen
            for busy in self._busy.values():
                busy.send.wait()
            for _, _, request in self._receives:
                request.wait()

    @property
    def workers(self) -> int:
        """Number of workers that are given work."""
        return len(self._idle) + len(self._busy.keys() - self._retired)

    @property
    def idle(self) -> int:
        """Number of workers without a task.

        Raises
        ------
        RunError
            If all workers are lost.
        """
        if self._lost and not self.workers:
            raise RunError(
                "no group of ranks is left: in each an evaluation hung, or failed on one of its "
                "ranks only, see the notes above; resume with fresh ones"
            )
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Number of workers with a task."""
        return len(self._busy)

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, avoid: int | None = None
    ) -> None:
        """Give a task to the worker that rested longest, to another than `avoid` if it can be."""
        rank = min(self._idle, key=lambda rank: rank == avoid)
        self._idle.remove(rank)
        # a child is ended in time by the rank that supervises it
        patience = float("inf") if self._ranks == 1 else PATIENCE * timeout + GRACE_S
        send = self._comm.isend(Order(task, timeout), rank, TASK)
        self._busy[rank] = Busy(key, send, time.monotonic(), Patience(patience))

    def elsewhere(self, worker: int) -> bool:
        """Whether a task can be submitted now that avoids a worker, if there is another one."""
        return any(rank != worker for rank in self._idle) or (self.workers == 1 and self.idle > 0)

    def retire(self, worker: int) -> None:
        """Give no more work to a worker; a task that it is at still comes back."""
        self._retired.add(worker)
        if worker in self._idle:
            self._idle.remove(worker)

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back.

        Raises
        ------
        LammpsfitError
            What the worker raised, see :meth:`lammpsfit.child.process.ChildProcess.result`.
        """
        until, naps = time.monotonic() + seconds, Naps()
        while not (done := self._arrived() or self._overdue()):
            left = until - time.monotonic()
            if left <= 0 or not self._busy:
                return []
            naps.sleep(left)
        finished: list[Finished[Result]] = []
        for rank, answer in done.items():
            self._collect(rank, answer, finished)
        if self._error is not None and not finished:
            raise self._error
        return finished

    def _arrived(self) -> dict[int, Answer]:
        """Return the answers that are here as a whole, by worker; begin to receive others."""
        status = MPI.Status()
        while (message := look(self._comm, status)) is not None:
            self._receives.append((status.source, status.tag, message.irecv()))
        under_way, self._receives = self._receives, []
        done: dict[int, Answer] = {}
        for rank, tag, request in under_way:
            over, answer = request.test()
            if not over:
                self._receives.append((rank, tag, request))
                continue
            leader = rank - (rank - 1) % self._ranks
            if answer is None or leader in self._lost:
                continue
            done[leader] = answer
            if tag == LOST:
                self._give_up(leader, "an evaluation failed on one of them only")
        return done

    def _overdue(self) -> dict[int, Answer]:
        """Give up the groups that hang; return what their tasks came to, by worker."""
        now = time.monotonic()
        done: dict[int, Answer] = {}
        for rank in [rank for rank, busy in self._busy.items() if busy.patience.over]:
            failure = Failure(Reason.TIMEOUT, "the ranks it hung on were given up")
            done[rank] = Answer(failure, now - self._busy[rank].began)
            self._give_up(rank, "an evaluation hung")
        return done

    def _give_up(self, leader: int, why: str) -> None:
        ranks = range(leader, leader + self._ranks)
        self._lost.update(ranks)
        print(f"lammpsfit: ranks {ranks[0]} to {ranks[-1]} are given up: {why}", file=sys.stderr)

    def _collect(self, rank: int, answer: Answer, finished: list[Finished[Result]]) -> None:
        """Take an answer; an error waits until nothing sound could be lost by raising it."""
        busy = self._busy.pop(rank)
        if rank not in self._lost:
            busy.send.wait()  # over long ago: the task has been run
            if rank not in self._retired:
                self._idle.append(rank)
        if isinstance(answer.result, ParentError):
            self._error = answer.result.error
        else:
            finished.append(Finished(busy.key, answer.result, answer.seconds, rank))


def dismiss(comm: MPI.Comm, tag: int, lost: Collection[int] = ()) -> set[int]:
    """Tell all ranks but those `lost` to halt or to leave, and wait until they have, on rank 0.

    Answers that are still on their way are received and dropped.

    Returns
    -------
    set of int
        The ranks that did not say so within :data:`GRACE_S`.
    """
    waiting = set(range(1, comm.size)).difference(lost)
    sends = [comm.isend(None, rank, tag) for rank in sorted(waiting)]
    until, naps, status = time.monotonic() + GRACE_S, Naps(), MPI.Status()
    while waiting and time.monotonic() < until:
        message = look(comm, status)
        if message is None:
            naps.sleep()
            continue
        complete(message.irecv())
        if status.tag == tag:
            waiting.discard(status.source)
    if not waiting:
        MPI.Request.waitall(sends)
    return waiting


def serve(comm: MPI.Intracomm) -> None:
    """Run tasks for rank 0 until it says to leave, on every other rank."""
    status = MPI.Status()
    with ChildProcess[Any]() as process:
        while True:
            naps = Naps()
            while (message := look(comm, status)) is None:
                naps.sleep()
            content, tag = complete(message.irecv()), status.tag
            if tag == GROUP:
                from lammpsfit.farm.group import serve_group  # LAMMPS, which is a child's else

                return serve_group(comm, content)
            if tag == TASK:
                if (answer := _run(comm, process, content)) is not None:
                    complete(comm.isend(answer, 0, TASK))
                continue
            process.close()
            complete(comm.isend(None, 0, tag))
            if tag == LEAVE:
                return None


def _run(comm: MPI.Comm, process: ChildProcess[Any], order: Order) -> Answer | None:
    """Run a task; None if rank 0 has something else to say meanwhile, which is to stop."""
    began = time.monotonic()
    process.start(order.task, order.timeout)
    while not process.connection.poll(LONGEST_S) and not process.late:
        if comm.iprobe(source=0):
            return None
    return Answer(_result(process), time.monotonic() - began)


def _result(process: ChildProcess[Any]) -> object:
    """Take the result of the child, or what rank 0 shall raise."""
    try:
        return process.result()
    except LammpsfitError as error:
        return ParentError(error)
    except Exception:
        return ParentError(RunError(f"a worker broke:\n{traceback.format_exc()}"))
