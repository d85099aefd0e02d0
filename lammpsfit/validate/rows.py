"""What rows of tables are made of: the runs that did not fail, and values with their errors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.special import stdtrit

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

ONE_SIGMA: Final = 0.8413447460685429
"""Share of a normal distribution below its mean and one standard deviation."""


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


def of_samples(mean: float, scatter: float, each: Sequence[Estimate]) -> Estimate:
    """Return a mean over a few samples with the half width of its interval of 68 %.

    `scatter` is its standard error by the scatter between them. With n samples that has n - 1
    degrees of freedom, for which Student's t makes up: 1.8 for two, 1.2 for four. No error is
    smaller than what those within the samples leave of it: two may agree by chance.
    """
    n = len(each)
    if n < 2:
        return each[0] if each else Estimate(mean, scatter)
    within = float(np.sqrt(np.nansum([one.error**2 for one in each]))) / n
    return Estimate(mean, max(float(stdtrit(n - 1, ONE_SIGMA)) * scatter, within))


def plain(value: float) -> Estimate:
    """Return a value whose error is not known."""
    return Estimate(float(value), float("nan"))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """Return it in another unit."""
    return Estimate(factor * estimate.mean, factor * estimate.error)
