"""Who is to blame for a death: asked of a farm whose workers and tasks die by the script."""

import ctypes
import math
from collections import deque
from functools import partial

import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import RunError
from lammpsfit.farm.base import Finished
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.sturdy import LOSSES, STRIKES, SturdyFarm

DEAD = Failure(Reason.SEGFAULT, "by the script")
LOST = Failure(Reason.LOST_WORKER, "by the script")


class ScriptedFarm:
    """Runs tasks one after the other; `broken` workers and tasks called ``deadly`` die."""

    def __init__(self, workers, broken=()):
        self.workers = workers
        self.broken = set(broken)
        self.resting = deque(range(1, workers + 1))
        self.at_work = deque()
        self.retired = set()
        self.entered = 0

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *error):
        self.entered -= 1

    @property
    def idle(self):
        return len(self.resting)

    @property
    def busy(self):
        return len(self.at_work)

    def submit(self, key, task, timeout, avoid=None):
        worker = min(self.resting, key=lambda worker: worker == avoid)
        self.resting.remove(worker)
        self.at_work.append((worker, key, task))

    def elsewhere(self, worker):
        return any(one != worker for one in self.resting) or self.workers == 1

    def retire(self, worker):
        self.retired.add(worker)
        self.workers -= 1
        if worker in self.resting:
            self.resting.remove(worker)

    def wait(self, seconds):
        if not self.at_work:
            return []
        worker, key, task = self.at_work.popleft()
        if worker not in self.retired:
            self.resting.append(worker)
        dies = worker in self.broken or task == "deadly"
        return [Finished(key, DEAD if dies else f"{task} by {worker}", 1.0, worker)]


def run(farm, tasks, said=None):
    """Run tasks as a search would; return results by number."""
    waiting, results = deque(enumerate(tasks)), {}
    with SturdyFarm(farm, said.append if said is not None else lambda line: None) as sturdy:
        while waiting or sturdy.busy:
            while waiting and sturdy.idle:
                number, task = waiting.popleft()
                sturdy.submit(number, task, 10.0)
            for back in sturdy.wait(0.1):
                assert back.key not in results
                results[back.key] = back.result
    return results


def test_sound_work_passes_through():
    assert run(ScriptedFarm(2), ["a", "b", "c"]) == {0: "a by 1", 1: "b by 2", 2: "c by 1"}


def test_a_deadly_potential_fails_once_for_two_deaths():
    farm = ScriptedFarm(2)
    results = run(farm, ["a", "deadly", "b", "deadly", "c"])
    assert [results[k] == DEAD for k in range(5)] == [False, True, False, True, False]
    assert farm.workers == 2
    assert farm.entered == 0


def test_a_broken_worker_is_retired_and_its_work_done_by_others():
    said = []
    farm = ScriptedFarm(3, broken=[2])
    results = run(farm, [f"t{k}" for k in range(30)], said)
    assert len(results) == 30
    assert DEAD not in results.values()
    assert not any("by 2" in result for result in results.values())
    assert farm.workers == 2
    assert len(said) == 1
    assert f"worker 2 is given no more work: {STRIKES} runs" in said[0]


def test_deadly_potentials_do_not_retire_sound_workers():
    farm = ScriptedFarm(2)
    results = run(farm, ["a", *["deadly"] * 10, "b"])
    assert sum(result == DEAD for result in results.values()) == 10
    assert farm.workers == 2


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("tasks", [1, 2, 20])
def test_where_nothing_ever_comes_back_nothing_is_recorded(workers, tasks):
    farm = ScriptedFarm(workers, broken=range(1, workers + 1))
    with pytest.raises(RunError, match=r"no run came back alive, and \d died twice \(segm"):
        run(farm, ["a"] * tasks)
    assert farm.entered == 0


def test_a_lone_worker_may_meet_deadly_potentials():
    results = run(ScriptedFarm(1), ["deadly", "a", "deadly", "b"])
    assert [results[k] == DEAD for k in range(4)] == [True, False, True, False]


class Nodes(ScriptedFarm):
    """One node of workers after the other: a task called ``poison`` takes its whole node down."""

    def wait(self, seconds):
        if not any(task == "poison" for _, _, task in self.at_work):
            return super().wait(seconds)
        lost = list(self.at_work)
        self.at_work.clear()
        self.resting.extend(worker for worker, *_ in lost)
        self.nodes = getattr(self, "nodes", 0) + 1
        return [Finished(key, LOST, 1.0, 0) for _, key, _ in lost]


@pytest.mark.parametrize("poisons", [1, 3])
def test_what_takes_nodes_down_is_convicted_and_what_was_nearby_is_not(poisons):
    farm = Nodes(8)
    tasks = ["a", *["poison"] * poisons, *"bcdefghijklmnopqrstuvwxyz"]
    results = run(farm, tasks)
    failed = {number for number, result in results.items() if result == LOST}
    assert failed == set(range(1, 1 + poisons))
    assert len(results) == len(tasks)
    assert farm.nodes <= 2 + poisons * LOSSES


def test_a_lost_worker_costs_its_task_a_second_run_only():
    farm = Nodes(2)
    with SturdyFarm(farm) as sturdy:
        sturdy.submit("task", "a", 10.0)
        farm.at_work[0] = (farm.at_work[0][0], "task", "poison")
        assert sturdy.wait(0.1) == []
        assert (sturdy.idle, sturdy.busy) == (1, 1)
        (back,) = sturdy.wait(0.1)
    assert back.result.startswith("a by")


def test_real_children_die_twice():
    with SturdyFarm(LocalFarm(2)) as farm:
        farm.submit("sound", partial(math.sqrt, 9.0), 30.0)
        farm.submit("deadly", partial(ctypes.string_at, 0), 30.0)
        results = {}
        while farm.busy:
            results |= {back.key: back.result for back in farm.wait(1.0)}
    assert results["sound"] == 3.0
    assert results["deadly"].reason == Reason.SEGFAULT
