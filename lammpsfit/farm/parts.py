"""A farm that runs the parts of a task beside each other.

An evaluation under several conditions is several runs that know nothing of each other. Here each of
them becomes a task of its own, so that workers that have nothing else to do take one each. What
they bring is joined before anyone hears of it: whoever submits a task gets one result for it.

Parts begin in the order of their tasks, and within a task in the order it names them. No task is
overtaken by a later one, and there is no room for another task while a part waits. A task fails if
one of its parts does. Parts that have not begun are left out then; those at work are waited for, so
that nothing of a task is at work once it is back. Every part before one that fails has begun before
it: the first failure in their order is the same, however many workers there are.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, runtime_checkable

from lammpsfit.child.failure import Failure
from lammpsfit.child.process import Task
from lammpsfit.errors import RunError
from lammpsfit.farm.base import Farm, FarmAround, Finished, Part, Result


@runtime_checkable
class Divisible(Protocol[Result]):
    """A task that is several others, and may be run as them."""

    @property
    def parts(self) -> Mapping[str, Task[Result]]:
        """What it is made of, by name."""

    def joined(self, results: Mapping[str, Result]) -> Result:
        """Make its result of those of its parts, in their order."""


@dataclass
class _Sent(Generic[Result]):
    """A task that is not back: what of it waits, is at work, and is back, by name of the part."""

    task: Divisible[Result]
    timeout: float
    waiting: deque[str]
    at_work: set[str] = field(default_factory=set)
    back: dict[str, Finished[Result]] = field(default_factory=dict)


class PartsFarm(FarmAround[Result]):
    """A farm around a farm, with the same interface; a task that is not divisible passes through.

    Parameters
    ----------
    farm
        The workers, and who is to blame for a death: each part is judged by itself.
    """

    def __init__(self, farm: Farm[Result]) -> None:
        super().__init__(farm)
        self._sent: dict[Hashable, _Sent[Result]] = {}

    @property
    def idle(self) -> int:
        """Number of workers without a task that no part waits for."""
        waiting = sum(len(sent.waiting) for sent in self._sent.values())
        return max(0, self._farm.idle - waiting)

    @property
    def busy(self) -> int:
        """Number of tasks that are not back."""
        parts = sum(len(sent.at_work) for sent in self._sent.values())
        return len(self._sent) + self._farm.busy - parts

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, avoid: int | None = None
    ) -> None:
        """Give the first part of a task to an idle worker, the others to those idle besides.

        Each part may take `timeout` seconds.
        """
        if not isinstance(task, Divisible):
            self._farm.submit(key, task, timeout, avoid)
            return
        self._sent[key] = _Sent(task, timeout, deque(task.parts))
        self._send_waiting()

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back.

        Fewer seconds go by where a part comes back.
        """
        self._send_waiting()
        finished = []
        for back in self._farm.wait(seconds):
            if isinstance(back.key, Part):
                self._take(back.key, back)
            else:
                finished.append(back)
        over = [key for key, sent in self._sent.items() if not (sent.at_work or sent.waiting)]
        finished += [_joined(key, self._sent.pop(key)) for key in over]
        # that no worker is left is said again, and must not cost what is back
        with suppress(RunError) if finished else nullcontext():
            self._send_waiting()
        return finished

    def _send_waiting(self) -> None:
        for key, sent in self._sent.items():
            while sent.waiting:
                if not self._farm.idle:
                    return
                name = sent.waiting.popleft()
                sent.at_work.add(name)
                self._farm.submit(Part(key, name), sent.task.parts[name], sent.timeout)

    def _take(self, part: Part, back: Finished[Result]) -> None:
        sent = self._sent[part.whole]
        sent.at_work.discard(part.name)
        sent.back[part.name] = back
        if isinstance(back.result, Failure):
            sent.waiting.clear()


def _joined(key: Hashable, sent: _Sent[Result]) -> Finished[Result]:
    """Join what came of the parts; the seconds are those that workers spent on them in all."""
    backs = {name: sent.back[name] for name in sent.task.parts if name in sent.back}
    seconds = sum(back.seconds for back in backs.values())
    workers = {back.worker for back in backs.values()}
    worker = workers.pop() if len(workers) == 1 else 0
    results = {}
    for name, back in backs.items():
        if isinstance(back.result, Failure):
            failure = replace(back.result, detail=f"{name}: {back.result.detail}")
            return Finished(key, failure, seconds, worker)
        results[name] = back.result
    return Finished(key, sent.task.joined(results), seconds, worker)
