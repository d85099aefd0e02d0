"""Racing: when an evaluation is certain to stay far above the best, and need not go on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lammpsfit.md.protocol import LEAST_BLOCKS
from lammpsfit.structure.cost import Cost
from lammpsfit.structure.rdf import PartialRdf

SURENESS = 4.0
"""Standard errors the cost must be above a level to be certain to stay there."""


@dataclass(frozen=True)
class GivenUp:
    """Why a run was ended early.

    Attributes
    ----------
    level
        Cost above which it was to be given up, a fraction.
    bound
        What its cost is certain to be at or above, a fraction; above `level`.
    """

    level: float
    bound: float


def least_cost(
    rdf: PartialRdf, blocks: int, cost: Callable[[PartialRdf], Cost], sureness: float = SURENESS
) -> float:
    """Bound from below the cost a run will end with, from its first n of N blocks.

        R_N ≈ sqrt(R_c² + (R² - R_c²) n/N)
        bound = R_N - max(0, R_early - R_late) - k error

    R, R_c and error are the cost of the n blocks, its value without noise and its jackknife
    error (:func:`lammpsfit.structure.cost.cost`). Noise inflates R less the longer the run, so
    R_N has the share that is left at its end. A run that is still on its way down, from the
    first half of the blocks to the second, is taken to go down as much again. Blocks are
    shorter than the slowest modes of a melt and few, so the error is too small by a factor.

    Measured with ``python ci/bench_racing.py`` (silica, 648 atoms, 2 + 4 ps, 20 blocks; BKS, 24
    Sobol points about it, CHIK, ML, ML-SiO, ML-ALL; R of 8.5 to 70 %, three runs lost): with
    k = 4 and a level of 1.5 times the best of the search, all 22 runs that end above the level
    are given up and no other, which saves 41.9 % of the MD steps (2 times: 36.5 %; 3 times:
    26.8 %). For the level hardly matters how sure one is (k = 1: 42.3 %, k = 6: 41.3 %), for the
    bound itself it does: over its blocks it comes to lie above the R of the whole run in 31 % of
    the runs with k = 1 (by up to 4.0 %), in 4 % with k = 4 (by 0.8 %). With all 6 ps sampled and
    no relaxation before, it does so in none with k = 4.

    Parameters
    ----------
    rdf
        g(r) of the blocks so far.
    blocks
        Number of blocks of the whole run, N.
    cost
        Compares a g(r) with the reference.
    sureness
        Standard errors taken off, k.

    Returns
    -------
    float
        The bound as a fraction; 0 while the blocks are fewer than four (their jackknife says
        nothing) or a quarter of the run.
    """
    n = 0 if rdf.blocks is None else len(rdf.blocks)
    if n < max(LEAST_BLOCKS, blocks / 4):
        return 0.0
    whole = cost(rdf)
    noise = whole.value**2 - whole.corrected**2
    at_end = float(np.sqrt(whole.corrected**2 + noise * n / blocks))
    early, late = (cost(part).value for part in rdf.segments(2))
    return max(0.0, at_end - max(0.0, early - late) - sureness * whole.error)
