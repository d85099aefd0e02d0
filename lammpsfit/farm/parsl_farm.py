"""The farm of Parsl's workers, which come and go: pilot jobs of Slurm, PBS, Flux, or this machine.

Parsl starts blocks of nodes, and on each node a manager with its workers; its interchange hands
out tasks in the order they were submitted. Here is counted how many workers are there, so that no
more points are asked for than can be run soon, and what became of every task. A worker or manager
that is gone is a failure :attr:`~lammpsfit.child.failure.Reason.LOST_WORKER`; who is to blame for
it is asked in :mod:`lammpsfit.farm.sturdy`.

A worker of this farm, in the sense of who is to blame, is a node: that is what can be held back.
"""

import pickle
import queue
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Generic

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.child.patience import Patience
from lammpsfit.child.process import ParentError, Task
from lammpsfit.errors import LammpsfitError, RunError
from lammpsfit.farm.base import Finished, Result
from lammpsfit.farm.parsl_config import read_config
from lammpsfit.farm.parsl_pool import Pool
from lammpsfit.farm.parsl_worker import Answer, Order, work

PATIENCE: Final = 1.5
GRACE_S: Final = 10.0
"""Times its timeout a task gets once it runs, and seconds: a sound worker ends it by itself."""

BOUNCE_S: Final = 1.0
"""Seconds until a task is sent again that came to the node it is to avoid."""

NAP_S: Final = 0.25
"""Longest time between two looks at what cannot be waited for."""


@dataclass
class _Sent:
    """A task that is not back.

    Attributes
    ----------
    order
        What was sent.
    future
        What Parsl made of it, None while it waits to be sent elsewhere.
    patience
        Time until its worker is given up; None while it may still wait in the queue.
    """

    order: Order
    future: "Future[Answer] | None" = None
    patience: Patience | None = None


class ParslFarm(Generic[Result]):
    """Workers of Parsl. Use as a context manager: Parsl is started and ended with it.

    Parameters
    ----------
    path
        Parsl's configuration file.
    tell
        Told in a line when the number of workers has changed.

    Raises
    ------
    InputError
        If the file is no configuration that a farm can use.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = lambda line: None) -> None:
        self._pool = Pool(read_config(path), tell)
        self._folder = str(Path.cwd())
        self._sent: dict[Hashable, _Sent] = {}
        self._back: queue.SimpleQueue[tuple[Hashable, Future[Answer]]] = queue.SimpleQueue()
        self._numbers: dict[str, int] = {}
        self._bounced: dict[Hashable, float] = {}
        self._stuck: set[Future[Answer]] = set()
        self._error: LammpsfitError | None = None

    def __enter__(self) -> "ParslFarm[Result]":
        self._pool.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    @property
    def workers(self) -> int:
        """Number of workers that are there, or one while they are waited for."""
        return max(1, self._pool.workers)

    @property
    def idle(self) -> int:
        """Number of tasks that are wanted: one for each free worker, and for one block to come."""
        return max(0, self._pool.capacity - len(self._sent) - len(self._stuck))

    @property
    def busy(self) -> int:
        """Number of tasks that are not back."""
        return len(self._sent)

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, avoid: int | None = None
    ) -> None:
        """Give a task to whichever worker is free first, not on the node `avoid` if it can be."""
        names = {number: name for name, number in self._numbers.items()}
        avoided = names.get(avoid or 0, "")
        self._sent[key] = _Sent(Order(pickle.dumps(task), timeout, self._folder, avoided))
        self._send(key)

    def elsewhere(self, worker: int) -> bool:
        """Whether a task can be submitted now; the workers see to it themselves who runs it."""
        return self.idle > 0

    def retire(self, worker: int) -> None:
        """Give no more work to a node; a task that it is at still comes back."""
        name = next(name for name, number in self._numbers.items() if number == worker)
        self._pool.hold(name)

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back.

        Raises
        ------
        RunError
            If Parsl can bring no more workers, or a worker broke for a reason that is no property
            of the task.
        LammpsfitError
            What the child raised.
        """
        until = time.monotonic() + seconds
        finished: list[Finished[Result]] = []
        while not finished and self._error is None:
            self._pool.look()
            finished = self._overdue()
            left = until - time.monotonic()
            if finished or left <= 0 or not self._sent:
                break
            with suppress(queue.Empty):
                self._take(*self._back.get(timeout=min(left, NAP_S)), finished)
                while True:
                    self._take(*self._back.get_nowait(), finished)
            self._send_bounced(bool(finished))
        if self._error is not None and not finished:
            raise self._error
        return finished

    def _send(self, key: Hashable) -> None:
        sent = self._sent[key] = self._sent.pop(key)  # in the order of Parsl's queue
        if sent.order.avoid and not self._pool.has_other_nodes(sent.order.avoid):
            sent.order = Order(sent.order.task, sent.order.timeout, sent.order.folder)
        sent.future = self._pool.submit(work, sent.order)
        sent.patience = None
        sent.future.add_done_callback(lambda future: self._back.put((key, future)))

    def _send_bounced(self, others_are_free: bool) -> None:
        """Send again what came to the node it was to avoid, when another one may take it."""
        now = time.monotonic()
        for key, since in list(self._bounced.items()):
            if others_are_free or now > since + BOUNCE_S:
                del self._bounced[key]
                self._send(key)

    def _take(
        self, key: Hashable, future: "Future[Answer]", finished: list[Finished[Result]]
    ) -> None:
        """Take what came of a task; an error waits until nothing sound could be lost by it."""
        self._stuck.discard(future)
        sent = self._sent.get(key)
        if sent is None or sent.future is not future:
            return  # its worker was given up, and it has been run again
        error = future.exception()
        if error is not None:
            self._lost(key, error, finished)
            return
        answer = future.result()
        if answer.result is None:
            sent.future = None
            self._bounced[key] = time.monotonic()
            return
        del self._sent[key]
        number = self._numbers.setdefault(answer.node, len(self._numbers) + 1)
        result = pickle.loads(answer.result)
        if isinstance(result, ParentError):
            assert isinstance(result.error, LammpsfitError)
            self._error = result.error
        else:
            finished.append(Finished(key, result, answer.seconds, number))

    def _lost(self, key: Hashable, error: BaseException, finished: list[Finished[Result]]) -> None:
        """Tell a worker that is gone from a worker that cannot work at all."""
        if not self._pool.is_loss(error):
            self._error = RunError(f"a worker of Parsl broke: {_line(error)}")
        else:
            failure = Failure(Reason.LOST_WORKER, _line(error))
            finished.append(Finished(key, failure, 0.0, 0))
        del self._sent[key]

    def _overdue(self) -> list[Finished[Result]]:
        """Give up the workers that hang, not to be taken for the tasks they should have ended."""
        finished: list[Finished[Result]] = []
        # tasks begin in their order: the first so many of them have a worker
        at_work = self._pool.workers - len(self._stuck)
        known = [item for item in self._sent.items() if item[1].future is not None]
        for place, (key, sent) in enumerate(known):
            if place >= at_work:
                sent.patience = None
                continue
            if sent.patience is None:
                sent.patience = Patience(PATIENCE * sent.order.timeout + GRACE_S)
            if sent.patience.over:
                assert sent.future is not None
                self._stuck.add(sent.future)
                del self._sent[key]
                failure = Failure(Reason.LOST_WORKER, "its worker neither ended it nor is lost")
                finished.append(Finished(key, failure, sent.order.timeout, 0))
        return finished


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
