"""The runs of a validation on the farm, each recorded as soon as it is back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

from lammpsfit.child.failure import Failure
from lammpsfit.errors import StoppedError
from lammpsfit.farm.base import Farm
from lammpsfit.md.observation import Observation
from lammpsfit.md.observe import Part
from lammpsfit.validate.plan import Plan, Run
from lammpsfit.validate.store import Result, Store

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


def run_plan(
    plan: Plan,
    store: Store,
    farm: Farm[Observation],
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> Results:
    """Do the runs that are not in the store.

    Raises
    ------
    StoppedError
        If it was told to stop.
    """
    molten = any(run.part is not Part.CRYSTAL for run in plan.runs)
    structure = plan.problem.melted(stop, monitor.say) if molten else Path()
    tasks = {unit: plan.task(*unit, structure) for unit in plan.units}
    results = {unit: store.load(unit[0], task) for unit, task in tasks.items()}
    waiting = [unit for unit, result in results.items() if result is None]
    monitor.begin([" ".join(map(str, unit)) for unit in waiting], len(results) - len(waiting))
    try:
        with farm:
            while waiting or farm.busy:
                if (why := stop()) is not None:
                    raise StoppedError(f"stopped ({why}): the same command goes on from here")
                while waiting and farm.idle:
                    unit = waiting.pop(0)
                    farm.submit(unit, tasks[unit], tasks[unit].timeout(plan.problem.system.atoms))
                    monitor.started(" ".join(map(str, unit)))
                for back in farm.wait(0.5):
                    unit = next(known for known in tasks if known == back.key)
                    store.save(unit[0], tasks[unit], back.result)
                    results[unit] = back.result
                    failed = isinstance(back.result, Failure)
                    outcome = f"failed ({back.result})" if failed else "done"
                    monitor.finished(" ".join(map(str, unit)), outcome, back.seconds)
    finally:
        monitor.end()
    found: dict[str, dict[Run, Result]] = {label: {} for label in plan.potentials}
    for (label, run), result in results.items():
        assert result is not None
        found[label][run] = result
    return found
