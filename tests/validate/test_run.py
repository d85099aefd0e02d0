"""The order of runs of which one begins with what another left, on a farm that makes up results."""

from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import StoppedError
from lammpsfit.farm.base import Finished
from lammpsfit.md.expansion import Expansion
from lammpsfit.md.observation import Observation, Series, Solid
from lammpsfit.md.observe import Part, Quench
from lammpsfit.report.facts import facts_json
from lammpsfit.structure.blocks import block_estimate
from lammpsfit.validate.facts import all_facts
from lammpsfit.validate.plan import Request, Run, build_plan
from lammpsfit.validate.run import run_plan
from lammpsfit.validate.store import Store

FRAMES = 40


class Farm:
    """Two workers, which take what `answer` says for the result of a task."""

    def __init__(self, answer):
        self.answer, self.tasks, self.seen = answer, [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tasks.clear()

    @property
    def idle(self):
        return 2 - len(self.tasks)

    def submit(self, key, task, _timeout):
        assert self.idle > 0
        self.tasks.append((key, task))
        self.seen.append(key)

    def wait(self, _seconds):
        key, task = self.tasks.pop(0)
        return [Finished(key, self.answer(key, task), 1.0, 1)]


class Silent:
    def __getattr__(self, name):
        return lambda *_: None


def glass(task):
    names = ("Si", "O", "O")
    positions = np.array([[0.0, 0, 0], [1.6, 0, 0], [0, 1.6, 0.1 * (task.seed % 7)]])
    return Observation(series(2.2), None, {}, 1, 1.0, Solid(names, positions, 7 * np.eye(3), C))


def series(*densities):
    wave = 1e-4 * np.sin(np.arange(FRAMES))
    density = np.concatenate([value + wave for value in densities])
    flat = np.full(density.size, 300.0)
    return Series(flat, flat, flat, density, 4 * len(densities))


C = np.diag([80.0, 80, 80, 30, 30, 30])


def answer(_, task):
    if isinstance(task, Expansion):
        densities = [2.2 * np.exp(-3 * 5e-6 * (T - 300)) for T in task.temperatures]
        return Observation(series(*densities), None, {}, 1, 1.0)
    return glass(task)


@pytest.fixture
def plan(job_file, tmp_path, monkeypatch):
    request = Request(
        ["BKS", "ML"], job_file, quench=Quench(100.0, 300.0, 0.0), density=False, liquid=False,
        glasses=2, expansion=[500.0, 700.0],
    )  # fmt: skip
    plan = build_plan(request)
    (tmp_path / "start.data").write_text("atoms")
    melted = type(plan.problem)
    monkeypatch.setattr(melted, "melted", lambda *_: tmp_path / "start.data")
    return plan


def run(plan, farm, folder, stop=lambda: None):
    return run_plan(plan, Store(folder), farm, Silent(), stop)[0]


def test_a_glass_is_made_before_it_is_heated(plan, tmp_path):
    farm = Farm(answer)
    results = run(plan, farm, tmp_path / "runs")
    assert len(set(farm.seen)) == len(farm.seen) == 8
    for label in ("BKS", "ML"):
        for number in ("", "2"):
            first = farm.seen.index((label, Run(Part.GLASS, number)))
            assert farm.seen.index((label, Run(Part.EXPANSION, number))) > first
    *densities, found = all_facts(replace(plan, runs=tuple(plan.of(Part.EXPANSION))), results)
    assert found.name == "linear thermal expansion"
    assert found.part == "expansion of the glass, 300 to 700 K, 0 GPa"
    assert found.values["BKS"].mean == pytest.approx(5.0, abs=1e-4)
    assert [fact.name for fact in densities] == [
        *("density at 700 K", "density at 500 K", "density at 300 K, cooled again")
    ]


def test_two_glasses_have_errors_for_so_few_and_a_value_of_each(plan, tmp_path):
    def answer_each(key, task):
        if isinstance(task, Expansion):
            return answer(key, task)
        label, run = key
        # of ML the two agree by chance, better than either is known
        return replace(
            glass(task), series=series(2.3 if (label, run.variant) == ("BKS", "2") else 2.2)
        )

    results = run(plan, Farm(answer_each), tmp_path / "runs")
    facts = all_facts(replace(plan, runs=tuple(plan.of(Part.GLASS))), results)
    density = next(fact for fact in facts if fact.name == "density")
    # scatter 0.1/√2 over √2, times Student's t of one degree of freedom for 68.27 %: 1.8374
    assert density.values["BKS"].mean == pytest.approx(2.25, abs=1e-4)
    assert density.values["BKS"].error == pytest.approx(1.8374 * 0.05, rel=1e-3)
    within = block_estimate(series(2.2).density, 4).error
    assert density.values["ML"].error == pytest.approx(within / np.sqrt(2.0), rel=1e-9)
    assert density.each["BKS"] == pytest.approx((2.2, 2.3), abs=1e-4)
    bulk = next(fact for fact in facts if fact.name == "bulk modulus, 0 K")
    assert bulk.each["ML"] == pytest.approx((80.0 / 3.0, 80.0 / 3.0))
    plain = facts_json(facts)["glass, 300 K, 0 GPa"]["density"]
    assert plain["each"]["BKS"] == pytest.approx([2.2, 2.3], abs=1e-4)


def test_what_is_on_disk_is_not_run_again(plan, tmp_path):
    run(plan, Farm(answer), tmp_path / "runs")
    farm = Farm(answer)
    run(plan, farm, tmp_path / "runs")
    assert farm.seen == []
    run(replace(plan, expansion=(600.0, 300.0)), farm, tmp_path / "runs")
    assert {run.part for _, run in farm.seen} == {Part.EXPANSION}
    assert len(farm.seen) == 4


def test_a_stop_leaves_what_is_finished(plan, tmp_path):
    farm, turns = Farm(answer), iter([None, None, None, "a signal"])
    with pytest.raises(StoppedError, match="a signal"):
        run(plan, farm, tmp_path / "runs", lambda: next(turns))
    again = Farm(answer)
    run(plan, again, tmp_path / "runs")
    assert len(again.seen) == 8 - 3


def test_a_glass_that_failed_has_no_expansion(plan, tmp_path):
    def fails(key, task):
        bad = key == ("ML", Run(Part.GLASS))
        return Failure(Reason.LOST_ATOMS, "two") if bad else answer(key, task)

    results = run(plan, Farm(fails), tmp_path / "runs")
    assert str(results["ML"][Run(Part.EXPANSION)]) == "lost atoms: glass: two"
    assert isinstance(results["ML"][Run(Part.EXPANSION, "2")], Observation)
    assert len(list((tmp_path / "runs").glob("*.json"))) == 1
