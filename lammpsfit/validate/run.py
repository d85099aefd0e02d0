"""The runs of a validation on the farm, each recorded as soon as it is back."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from lammpsfit.child.failure import Failure
from lammpsfit.errors import StoppedError
from lammpsfit.farm.base import Farm
from lammpsfit.md.observation import Observation
from lammpsfit.md.observe import Part
from lammpsfit.validate.plan import Plan, Run, Task
from lammpsfit.validate.store import Result, Store

Unit: TypeAlias = tuple[str, Run]
"""A run of one potential: its label, and which run."""

Results: TypeAlias = Mapping[str, Mapping[Run, Result]]
"""What came of each run, by label."""


class Monitor(Protocol):
    """Sees how the runs get on."""

    def say(self, line: str) -> None:
        """Hear of something that takes a while before they begin."""

    def begin(self, names: list[str], done: int) -> None:
        """See the runs that are to be made, `done` others being there already."""

    def started(self, name: str) -> None:
        """See a run begin."""

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """See a run end."""

    def end(self) -> None:
        """See that all are done, or none is done any more."""


@dataclass
class _Work:
    """The runs of a plan, as far as they are finished.

    Attributes
    ----------
    tasks
        Those that can be run: of one that begins with the result of another, once that is there.
    results
        What came of each.
    """

    plan: Plan
    store: Store
    structure: Path
    tasks: dict[Unit, Task] = field(default_factory=dict)
    results: dict[Unit, Result] = field(default_factory=dict)

    def look(self) -> None:
        """Make the tasks that can be made, and look for their results on disk."""
        for unit in self.plan.units:
            label, run = unit
            before = self.plan.before(run)
            first = None if before is None else self.results.get((label, before))
            if unit in self.tasks or (before is not None and first is None):
                continue
            if isinstance(first, Failure):
                self.results[unit] = Failure(first.reason, f"{before}: {first.detail}")
                continue
            self.tasks[unit] = self.plan.task(label, run, self.structure, first)
            if (result := self.store.load(label, self.tasks[unit])) is not None:
                self.results[unit] = result

    @property
    def structures(self) -> dict[str, str]:
        """Names of the files of the structures that came out."""
        return {
            _name(unit): self.store.path(unit[0], self.tasks[unit]).name
            for unit, result in self.results.items()
            if isinstance(result, Observation) and result.solid is not None
        }

    def waiting(self, running: Container[Unit] = ()) -> list[Unit]:
        """Return the runs that are neither finished nor running."""
        return [x for x in self.plan.units if x not in self.results and x not in running]

    def keep(self, unit: Unit, result: Result) -> None:
        """Take what came of a run, and record it."""
        self.store.save(unit[0], self.tasks[unit], result)
        self.results[unit] = result
        self.look()


def run_plan(
    plan: Plan,
    store: Store,
    farm: Farm[Observation],
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> tuple[Results, dict[str, str]]:
    """Do the runs that are not in the store.

    Returns
    -------
    tuple
        What came of them, and where the structures of those that end as a solid are kept: the name
        of their files without ``.data`` and ``.extxyz``, by the name of the run.

    Raises
    ------
    StoppedError
        If it was told to stop.
    """
    molten = any(run.part is not Part.CRYSTAL for run in plan.runs)
    work = _Work(plan, store, plan.problem.melted(stop, monitor.say) if molten else Path())
    work.look()
    waiting = work.waiting()
    monitor.begin(list(map(_name, waiting)), len(work.results))
    try:
        with farm:
            _run(work, farm, monitor, stop)
    finally:
        monitor.end()
    results = {
        label: {run: work.results[label, run] for run in plan.runs} for label in plan.potentials
    }
    return results, work.structures


def _run(
    work: _Work, farm: Farm[Observation], monitor: Monitor, stop: Callable[[], str | None]
) -> None:
    running: set[Unit] = set()
    while running or work.waiting():
        if (why := stop()) is not None:
            raise StoppedError(f"stopped ({why}): the same command goes on from here")
        for unit in work.waiting(running):
            if unit in work.tasks and farm.idle:
                task = work.tasks[unit]
                farm.submit(unit, task, task.timeout(work.plan.problem.system.atoms))
                running.add(unit)
                monitor.started(_name(unit))
        for back in farm.wait(0.5):
            unit = next(known for known in running if known == back.key)
            running.remove(unit)
            work.keep(unit, back.result)
            failed = isinstance(back.result, Failure)
            outcome = f"failed ({back.result})" if failed else "done"
            monitor.finished(_name(unit), outcome, back.seconds)


def _name(unit: Unit) -> str:
    return " ".join(map(str, unit))
