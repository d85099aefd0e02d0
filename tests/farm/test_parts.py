"""Parts of a task on several workers: asked of a farm whose tasks come back as the script says."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import RunError
from lammpsfit.farm.base import Finished, Part
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.parts import PartsFarm
from lammpsfit.farm.sturdy import HOPELESS, SturdyFarm

COLLAPSE = Failure(Reason.COLLAPSE, "by the script")
DEAD = Failure(Reason.SEGFAULT, "by the script")


@dataclass(frozen=True)
class Sum:
    """A task that adds up what its parts give."""

    parts: dict

    def __call__(self):
        return self.joined({name: part() for name, part in self.parts.items()})

    def joined(self, results):
        return math.fsum(results.values()), list(results)


@dataclass(frozen=True)
class Root:
    """A part."""

    number: float

    def __call__(self):
        return math.sqrt(self.number)


@dataclass(frozen=True)
class Fails:
    """A part that fails; only the scripted farm knows it."""

    failure: Failure


class ScriptedFarm:
    """Workers, of which the one that `choose` says of those at work comes back next."""

    def __init__(self, workers, choose=lambda at_work: 0, broken=()):
        self.workers = workers
        self.choose = choose
        self.broken = broken
        self.resting = deque(range(1, workers + 1))
        self.at_work = []
        self.began = []
        self.lost = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    @property
    def idle(self):
        if self.lost:
            raise RunError("no worker is left")
        return len(self.resting)

    @property
    def busy(self):
        return len(self.at_work)

    def submit(self, key, task, timeout, avoid=None):
        worker = min(self.resting, key=lambda worker: worker == avoid)
        self.resting.remove(worker)
        self.at_work.append((worker, key, task))
        self.began.append(key)

    def elsewhere(self, worker):
        return any(one != worker for one in self.resting) or self.workers == 1

    def wait(self, seconds):
        if not self.at_work:
            return []
        worker, key, task = self.at_work.pop(self.choose(self.at_work))
        self.resting.append(worker)
        result = DEAD if worker in self.broken else task
        if result is task:
            result = task.failure if isinstance(task, Fails) else task()
        return [Finished(key, result, 2.0, worker)]


def several(*numbers):
    return Sum({f"part {k}": Root(number) for k, number in enumerate(numbers)})


def run(farm, tasks, watch=lambda farm: None):
    """Run tasks as a search would; return what came back by number, in that order."""
    waiting, finished = deque(enumerate(tasks)), {}
    with PartsFarm(farm) as farm:
        while waiting or farm.busy:
            while waiting and farm.idle:
                farm.submit(*waiting.popleft(), 10.0)
            watch(farm)
            for back in farm.wait(0.1):
                assert back.key not in finished
                finished[back.key] = back
        assert farm.idle == farm.workers
    return finished


def by_chance(seed):
    rng = np.random.default_rng(seed)
    return lambda at_work: int(rng.integers(len(at_work)))


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_the_result_is_that_of_the_whole_however_many_workers_there_are(workers, seed):
    rng = np.random.default_rng(seed)
    tasks = [several(*rng.random(1 + k % 4)) for k in range(12)]
    tasks[5] = Root(2.0)
    found = run(ScriptedFarm(workers, by_chance(seed)), tasks)
    assert {key: back.result for key, back in found.items()} == {
        key: task() for key, task in enumerate(tasks)
    }
    assert {key: back.seconds for key, back in found.items()} == {
        key: 2.0 * len(getattr(task, "parts", [0])) for key, task in enumerate(tasks)
    }


def test_processes_give_what_the_whole_gives():
    (back,) = run(SturdyFarm(LocalFarm(2)), [several(1.0, 2.0, 3.0)]).values()
    assert back.result == several(1.0, 2.0, 3.0)()


def test_parts_of_one_task_take_all_workers():
    farm = ScriptedFarm(3)
    seen = []
    run(farm, [several(1, 2, 3)], lambda parts: seen.append((farm.busy, parts.busy, parts.idle)))
    assert seen[0] == (3, 1, 0)
    assert seen[1] == (2, 1, 1)


def test_no_task_is_overtaken_and_no_more_are_begun_than_keep_the_workers_busy():
    farm = ScriptedFarm(4)
    seen = []
    found = run(farm, [several(1, 2, 3)] * 5, lambda parts: seen.append((parts.busy, farm.busy)))
    assert farm.began == [Part(k, f"part {i}") for k in range(5) for i in range(3)]
    assert list(found) == list(range(5))
    assert max(tasks for tasks, _ in seen) == 2  # four workers: three parts of one, one of another
    assert [workers for _, workers in seen][:8] == [4] * 8


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_first_failure_in_order_is_that_of_all(workers, seed):
    other = Failure(Reason.LOST_ATOMS, "by the script")
    parts = {"a": Root(1.0), "b": Fails(COLLAPSE), "c": Fails(other), "d": Root(2.0)}
    farm = ScriptedFarm(workers, by_chance(seed))
    with PartsFarm(farm) as parts_farm:
        parts_farm.submit(7, Sum(parts), 10.0)
        while not (found := parts_farm.wait(0.1)):
            pass
        assert (farm.busy, parts_farm.busy) == (0, 0)  # nothing of it is at work
    assert found[0].result == Failure(Reason.COLLAPSE, "b: by the script")


def test_parts_after_a_failure_are_not_begun():
    farm = ScriptedFarm(1)
    (back,) = run(farm, [Sum({"a": Fails(COLLAPSE), "b": Root(1.0)})]).values()
    assert farm.began == [Part(0, "a")]
    assert back.result == Failure(Reason.COLLAPSE, "a: by the script")
    assert back.worker == 1


def test_a_part_that_died_on_a_broken_worker_is_run_again_and_the_others_are_not():
    farm = ScriptedFarm(3, broken=[2])
    (back,) = run(SturdyFarm(farm), [several(1.0, 4.0, 9.0)]).values()
    assert back.result == (6.0, ["part 0", "part 1", "part 2"])
    assert farm.began.count(Part(0, "part 1")) == 2
    assert len(farm.began) == 4


def test_the_parts_of_one_deadly_task_do_not_make_the_installation_suspect():
    deadly = Sum({f"part {k}": Fails(DEAD) for k in range(HOPELESS)})
    found = run(SturdyFarm(ScriptedFarm(2)), [deadly, several(1.0, 4.0)])
    assert found[0].result == Failure(Reason.SEGFAULT, "part 0: by the script")
    assert found[1].result[0] == 3.0


def test_where_nothing_ever_comes_back_nothing_is_recorded():
    with pytest.raises(RunError, match="no run came back alive"):
        run(SturdyFarm(ScriptedFarm(2, broken=[1, 2])), [several(1, 2)] * 4)


class LastFarm(ScriptedFarm):
    """A farm that loses its workers with the first task that comes back."""

    def wait(self, seconds):
        finished = super().wait(seconds)
        self.lost = True
        return finished


def test_what_is_back_is_told_though_no_worker_is_left():
    farm = PartsFarm(LastFarm(1))
    farm.submit(0, Root(4.0), 10.0)
    farm.submit(1, several(1.0), 10.0)  # which waits
    (back,) = farm.wait(0.1)
    assert back.result == 2.0
    with pytest.raises(RunError, match="no worker is left"):
        farm.wait(0.1)
