"""Runs repeated with fresh seeds: what is called best, and what it is compared with."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lammpsfit.child.failure import Failure
from lammpsfit.errors import StoppedError
from lammpsfit.farm.base import Farm
from lammpsfit.fit.run.conditions import Conditions, Samples, samples_of
from lammpsfit.fit.seeds import Runs, run_seed
from lammpsfit.forcefield import Potential
from lammpsfit.md.sample import pool
from lammpsfit.target import Evaluation

Result = Evaluation | Failure


@dataclass(frozen=True)
class Repeat:
    """One of the repeated runs of a potential."""

    label: str
    number: int

    @property
    def name(self) -> str:
        """Name of its sample in the run folder."""
        return f"confirm-{self.label}-{self.number}".replace("/", "_")


def repeated(
    potentials: Mapping[str, Potential],
    repeats: int,
    conditions: Conditions,
    structures: Mapping[str, Path],
    seed: int,
    farm: Farm[Evaluation],
    known: Mapping[Repeat, Samples | Failure],
    finished: Callable[[Repeat, Result, float], None],
    stop: Callable[[], str | None] = lambda: None,
    starting: Callable[[Repeat], None] = lambda run: None,
    alone: Collection[Repeat] = (),
) -> dict[str, Result]:
    """Run potentials several times each with fresh seeds, and pool the runs of each.

    Parameters
    ----------
    potentials
        Potentials by label.
    repeats
        Runs of each.
    conditions, structures
        Systems, protocols and references; the start structures by condition.
    seed
        Seed of the job. All potentials share the seeds of their runs.
    farm
        Idle workers.
    known
        Runs that were finished before, which are not run again.
    finished
        Called with each new run and the seconds it took, as soon as it is back.
    stop
        Says why to stop, or None to go on.
    starting
        Called with each new run before it is handed out.
    alone
        Runs that come first, with nothing beside them.

    Returns
    -------
    dict
        By label the pooled evaluation, or the first failure.

    Raises
    ------
    StoppedError
        If it was told to stop.
    """
    done: dict[Repeat, Samples | Failure] = dict(known)
    waiting = [
        run
        for label in potentials
        for number in range(repeats)
        if (run := Repeat(label, number)) not in done
    ]
    waiting.sort(key=lambda run: run not in alone)
    first = [run for run in waiting if run in alone]
    while waiting or farm.busy:
        if (why := stop()) is not None:
            raise StoppedError(why)
        while waiting and farm.idle:
            if farm.busy and any(run not in done for run in first):
                break
            run = waiting.pop(0)
            starting(run)
            task = conditions.task(
                potentials[run.label], structures, run_seed(seed, Runs.CONFIRM, run.number)
            )
            farm.submit(run, task, conditions.timeout)
        for back in farm.wait(0.5):
            assert isinstance(back.key, Repeat)
            finished(back.key, back.result, back.seconds)
            result = back.result
            done[back.key] = result if isinstance(result, Failure) else samples_of(result)
    return {
        label: _pooled([done[Repeat(label, number)] for number in range(repeats)], conditions)
        for label in potentials
    }


def _pooled(runs: list[Samples | Failure], conditions: Conditions) -> Result:
    several = []
    for run in runs:
        if isinstance(run, Failure):
            return run
        several.append(run)
    return conditions.evaluation(
        {name: pool([samples[name] for samples in several]) for name in conditions.names}
    )
