"""What rows of tables are made of: the runs that did not fail, and values with their errors."""

from collections.abc import Iterator, Mapping, Sequence

from lammpsfit.md.observation import Observation
from lammpsfit.structure.blocks import Estimate, mean_and_error
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.validate.plan import Run
from lammpsfit.validate.run import Results
from lammpsfit.validate.store import Result

Sound = Mapping[str, Observation]
"""Runs of one part that did not fail, by label."""


Rows = Iterator[tuple[str, str, Mapping[str, Estimate]]]
"""Name, unit and values of each quantity."""


def sound_runs(results: Mapping[Run, Result], runs: Sequence[Run]) -> list[Observation]:
    """Return what came of several runs of a potential, of those that did not fail."""
    found = (results[run] for run in runs)
    return [one for one in found if isinstance(one, Observation)]


def of_run(results: Results, run: Run) -> dict[str, Observation]:
    """Return what came of one run of each potential, where it did not fail."""
    every = ((label, found[run]) for label, found in results.items())
    return {label: one for label, one in every if isinstance(one, Observation)}


def of_blocks(values: FloatArray) -> Estimate:
    """Return the mean of blocks with its standard error."""
    return Estimate(*map(float, mean_and_error(values)))


def plain(value: float) -> Estimate:
    """Return a value whose error is not known."""
    return Estimate(float(value), float("nan"))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """Return it in another unit."""
    return Estimate(factor * estimate.mean, factor * estimate.error)
