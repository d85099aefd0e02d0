"""Evaluate given potentials, without a search."""

from collections.abc import Callable, Mapping

from lammpsfit.farm.base import Farm
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.confirm import Repeat, Result, repeated
from lammpsfit.fit.run.open_fit import Monitor
from lammpsfit.fit.run.records import result_fields
from lammpsfit.forcefield import Potential
from lammpsfit.target import Evaluation


def evaluate_potentials(
    potentials: Mapping[str, Potential],
    repeats: int,
    conditions: Conditions,
    seed: int,
    farm: Farm[Evaluation],
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> dict[str, Result]:
    """Run each potential `repeats` times and compare it with the references.

    Returns
    -------
    dict
        By label the pooled evaluation, or why it failed.

    Raises
    ------
    StoppedError
        If it was told to stop.
    """
    structures = {one.name: one.problem.melted(stop, monitor.say) for one in conditions.every}

    def finished(run: Repeat, result: Result, seconds: float) -> None:
        monitor.finished({"label": run.label, "seconds": seconds} | result_fields(result))

    monitor.begin("evaluation", len(potentials) * repeats, 0)
    try:
        with farm:
            return repeated(
                potentials, repeats, conditions, structures, seed, farm, {}, finished, stop
            )
    finally:
        monitor.end()
