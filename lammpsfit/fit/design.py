"""Design of experiments: where to look before anything is known."""

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.seeds import Draws

BLOCK = 8
"""Binary logarithm of the number of Sobol points drawn at a time."""

GUARDED = 16
"""Points the guard is asked of at a time: it may cost more than all else about a point."""

MAX_DRAWS = 2**17
"""Sobol points drawn in vain before the constraint is called too tight."""


def sobol_design(n: int, domain: Domain, seed: int) -> Vector:
    """Return the first `n` allowed points of a scrambled Sobol sequence, shape (n, d).

    Point i depends on `seed`, i and the domain only, not on `n`: a fit that is
    resumed, or given a larger design, keeps the points it has already run.
    Scrambling after Owen, J. Complexity 14, 466 (1998),
    doi:10.1006/jcom.1998.0487.

    Raises
    ------
    InputError
        Where the constraint leaves (nearly) nothing of the cube.

    Examples
    --------
    >>> few, many = (sobol_design(n, Domain(3), seed=1) for n in (4, 8))
    >>> bool((few == many[:4]).all())
    True
    """
    return _allowed_sobol(n, domain, np.random.default_rng([seed, Draws.DESIGN]))


def random_point(domain: Domain, rng: np.random.Generator) -> Vector:
    """Draw an allowed point, uniformly, shape (d,).

    Raises
    ------
    InputError
        Where the constraint leaves (nearly) nothing of the cube.
    """
    return np.asarray(_allowed_sobol(1, domain, rng)[0])


def _allowed_sobol(n: int, domain: Domain, rng: np.random.Generator) -> Vector:
    """Return the first `n` allowed points of the sequence that `rng` scrambles, shape (n, d)."""
    from scipy.stats import qmc  # takes as long to import as the rest of a fit

    sequence = qmc.Sobol(domain.dimension, scramble=True, seed=rng)
    found = np.empty((0, domain.dimension))
    drawn = 0
    while len(found) < n:
        if drawn >= MAX_DRAWS:
            raise InputError(
                f"the constraint must leave room for {n} points, "
                f"got {len(found)} allowed of {drawn} drawn: "
                "widen the bounds towards sound potentials or loosen the guard"
            )
        block = sequence.random(2**BLOCK)
        drawn += len(block)
        for points in np.split(block, len(block) // GUARDED):
            if len(found) < n:
                found = np.vstack([found, points[domain.allowed(points)]])
    return found[:n]
