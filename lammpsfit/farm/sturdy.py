"""A farm that tells a bad worker from a bad potential.

A child that dies (segfault, kill, crash) may have met a potential LAMMPS cannot bear, or a node
that is broken, full or being drained. So a death is no result yet: the task is run once more, by
another worker where there is one.

- It dies again: the potential is to blame, and the failure goes back as the result.
- It does not: the worker is to blame. One that was so :data:`STRIKES` times in a row is given no
  more work.
- Nothing ever comes back alive: neither is known to be sound, so nothing is recorded, and the job
  stops with the reason.

Where the worker is lost itself, with its node or at the end of its job, whatever it was at is run
again elsewhere. A task whose workers were lost twice may have killed them: tasks like that run
one at a time from then on, so that those that were only nearby come back. One that loses
:data:`LOSSES` has failed.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Final, Generic

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.child.process import Task
from lammpsfit.errors import RunError
from lammpsfit.farm.base import Farm, FarmAround, Finished, Part, Result

DEATHS: Final = frozenset({Reason.SEGFAULT, Reason.KILLED, Reason.CRASH})
"""Reasons that say nothing about who is to blame."""

STRIKES: Final = 3
"""Deaths in a row, each of a task that another worker brought back, that retire a worker."""

HOPELESS: Final = 3
"""Tasks that died twice, with none that came back, after which the job stops."""

LOSSES: Final = 3
"""Workers lost at a task, the last of them with no other such task about, that convict it."""


@dataclass(frozen=True)
class _Sent(Generic[Result]):
    """A task at work, the worker it died on before, if it did, and how many it lost."""

    task: Task[Result]
    timeout: float
    died_on: int | None = None
    losses: int = 0

    @property
    def on_trial(self) -> bool:
        """Whether it may have killed its workers, and runs with no other like that."""
        return self.losses == LOSSES - 1


class SturdyFarm(FarmAround[Result]):
    """A farm around a farm, with the same interface.

    Parameters
    ----------
    farm
        The workers.
    tell
        Told in a line whenever a worker is retired.
    """

    def __init__(self, farm: Farm[Result], tell: Callable[[str], None] = lambda line: None) -> None:
        super().__init__(farm)
        self._tell = tell
        self._sent: dict[Hashable, _Sent[Result]] = {}
        self._again: list[Hashable] = []
        self._strikes: dict[int, int] = {}
        self._held: list[Finished[Result]] = []
        self._proven = False

    @property
    def idle(self) -> int:
        """Number of workers without a task that no task waits for."""
        trials = sum(self._sent[key].on_trial for key in self._again)
        return max(0, self._farm.idle - (len(self._again) - trials) - min(trials, 1))

    @property
    def busy(self) -> int:
        """Number of tasks that are not back."""
        return len(self._sent)

    def submit(
        self, key: Hashable, task: Task[Result], timeout: float, avoid: int | None = None
    ) -> None:
        """Give a task to an idle worker, to another than `avoid` where there is another one."""
        self._sent[key] = _Sent(task, timeout)
        self._farm.submit(key, task, timeout, avoid)

    def wait(self, seconds: float) -> list[Finished[Result]]:
        """Wait until a task comes back, or `seconds` are over; return what came back.

        Raises
        ------
        RunError
            If every worker was retired, or nothing ever comes back alive.
        """
        idle_from_the_start = not self._farm.busy and not self._again
        for back in self._farm.wait(seconds):
            self._judge(back)
        self._resubmit()
        if not self._proven:
            # the parts of one task may all die of the same potential: they count as one
            hopeless = len({_whole(back.key) for back in self._held}) >= HOPELESS
            if hopeless or (self._held and idle_from_the_start):
                raise RunError(
                    f"no run came back alive, and {len(self._held)} died twice "
                    f"({self._held[-1].result}): is the installation sound on every node? "
                    "Nothing of them was recorded"
                )
            return []
        done, self._held = self._held, []
        for back in done:
            del self._sent[back.key]
        return done

    def _judge(self, back: Finished[Result]) -> None:
        sent = self._sent[back.key]
        reason = back.result.reason if isinstance(back.result, Failure) else None
        if reason == Reason.LOST_WORKER and not sent.on_trial:
            self._run_again(back.key, replace(sent, losses=sent.losses + 1))
            return
        died = reason in DEATHS
        if died and sent.died_on is None:
            self._run_again(back.key, replace(sent, died_on=back.worker))
            return
        if not died and reason != Reason.LOST_WORKER:
            self._proven = True
            self._strikes[back.worker] = 0
            if sent.died_on not in (None, back.worker):
                self._strike(sent.died_on)
        self._held.append(back)

    def _run_again(self, key: Hashable, sent: _Sent[Result]) -> None:
        self._sent[key] = sent
        self._again.append(key)

    def _strike(self, worker: int | None) -> None:
        assert worker is not None
        self._strikes[worker] = self._strikes.get(worker, 0) + 1
        if self._strikes[worker] == STRIKES:
            self._farm.retire(worker)
            self._tell(
                f"worker {worker} is given no more work: {STRIKES} runs in a row died on it and "
                "came back from others"
            )

    def _resubmit(self) -> None:
        if self._again and not self._farm.workers:
            raise RunError("every worker was given up: their children die and die again")
        at_work = self._sent.keys() - set(self._again) - {back.key for back in self._held}
        trial = any(self._sent[key].on_trial for key in at_work)
        for key in list(self._again):
            sent = self._sent[key]
            if (trial and sent.on_trial) or not self._has_room(sent.died_on):
                continue
            trial = trial or sent.on_trial
            self._again.remove(key)
            self._farm.submit(key, sent.task, sent.timeout, sent.died_on)

    def _has_room(self, avoid: int | None) -> bool:
        return self._farm.idle > 0 if avoid is None else self._farm.elsewhere(avoid)


def _whole(key: Hashable) -> Hashable:
    return key.whole if isinstance(key, Part) else key
