"""Maximising the acquisition: a pool of candidates, then L-BFGS-B from the best of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lammpsfit.errors import RunError
from lammpsfit.fit.base import Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.acquisition import log_expected_improvement
from lammpsfit.fit.paper.surrogate import Surrogate

SOBOL_CANDIDATES = 2**9
"""Candidates from the whole cube."""

CENTRES = 8
"""Best points round which further candidates are thrown."""

THROWS = 32
"""Candidates round each centre."""

REACHES = (0.01, 0.05, 0.25)
"""Standard deviations of the throws, in length scales of the surrogate."""

STARTS = 4
"""Candidates that are refined."""

STARTS_OF_MANY = 2
"""The same, where many points are pending: half the time of an ask for some of its gain."""

MAX_ITERATIONS = 30
"""Most steps of L-BFGS-B from one start."""

GUARDED = 16
"""Candidates the guard is asked of at a time."""

ROUNDS = 20
"""Pools drawn, where the constraint forbids all candidates, before the search gives up."""


def maximise_acquisition(surrogate: Surrogate, domain: Domain, rng: np.random.Generator) -> Vector:
    """Return the allowed point of largest acquisition that was found, shape (d,).

    Raises
    ------
    RunError
        Where the constraint forbids every candidate.
    """
    return Candidates(surrogate, domain, rng).maximise(surrogate)


class Candidates:
    """A pool of candidates that serves several asks.

    A point that becomes pending takes the doubt from its neighbourhood and leaves the mean as
    it is: what is believed of the pool follows in n operations per candidate instead of n^2.
    The guard is asked of the candidates in the order of their promise, and of each once: it
    costs more than the acquisition.

    Parameters
    ----------
    surrogate
        What is believed when the pool is drawn.
    domain
        What is allowed.
    rng
        Draws the pool.

    Raises
    ------
    RunError
        Where the constraint forbids every candidate.
    """

    def __init__(self, surrogate: Surrogate, domain: Domain, rng: np.random.Generator) -> None:
        self._domain = domain
        for _ in range(ROUNDS):
            self._pool = _pool(surrogate, rng)
            self._allowed: dict[int, bool] = {}
            if self._first_allowed(range(len(self._pool)), 1):
                break
        else:
            raise RunError(
                f"the constraint must allow some of the cube, it forbids all of {ROUNDS} pools of "
                "candidates: widen the bounds or loosen the guard"
            )
        self._mean, self._V = surrogate.believed.project(self._pool)
        self._explained = np.sum(self._V**2, axis=0)
        self._log_p: Vector | float = 0.0
        if surrogate.feasibility is not None:
            self._log_p = surrogate.feasibility.log_probability(self._pool)

    def maximise(self, surrogate: Surrogate, starts: int = STARTS) -> Vector:
        """Return the allowed point of largest acquisition that was found, shape (d,).

        Parameters
        ----------
        surrogate
            The one the pool was drawn for, or what is believed with further points pending.
        starts
            Number of candidates that are refined.
        """
        order = np.argsort(-self._acquisition(surrogate), kind="stable")
        best = self._pool[self._first_allowed(order, starts)]
        refined = np.array([_refine(surrogate, self._domain, start) for start in best])
        found = np.vstack([refined, best])
        return np.asarray(found[int(np.argmax(surrogate.acquisition(found)))])

    def _acquisition(self, surrogate: Surrogate) -> Vector:
        gp, explained = surrogate.believed, self._explained
        if len(gp.y) > len(self._V):
            explained = explained + np.sum(gp.project_on(self._pool, self._V) ** 2, axis=0)
        sd = gp.spread(explained)
        return log_expected_improvement(self._mean, sd, surrogate.target) + self._log_p

    def _first_allowed(self, order: Sequence[int] | NDArray[np.intp], k: int) -> list[int]:
        """Return the first `k` indices of `order` whose points are allowed."""
        found: list[int] = []
        for first in range(0, len(order), GUARDED):
            some = [int(i) for i in order[first : first + GUARDED]]
            unknown = [i for i in some if i not in self._allowed]
            allowed = self._domain.allowed(self._pool[unknown])
            self._allowed.update(zip(unknown, map(bool, allowed), strict=True))
            found += [i for i in some if self._allowed[i]]
            if len(found) >= k:
                break
        return found[:k]


def _pool(surrogate: Surrogate, rng: np.random.Generator) -> Vector:
    """Draw candidates from the whole cube and round the best points, shape (n, d)."""
    from scipy.stats import qmc  # takes as long to import as the rest of a fit

    gp = surrogate.cost
    d = gp.X.shape[1]
    everywhere = qmc.Sobol(d, scramble=True, seed=rng).random(SOBOL_CANDIDATES)
    centres = gp.X[np.argsort(gp.means_at_data, kind="stable")[:CENTRES]]
    # A coordinate that hardly matters has a length scale beyond the cube; throws stay inside.
    widths = np.minimum(gp.theta.length_scale, 1.0)
    reach = rng.choice(REACHES, size=(len(centres), THROWS, 1))
    throws = centres[:, None] + reach * widths * rng.standard_normal((len(centres), THROWS, d))
    return np.vstack([everywhere, np.clip(throws, 0.0, 1.0).reshape(-1, d)])


def _refine(surrogate: Surrogate, domain: Domain, start: Vector) -> Vector:
    def negative(x: Vector) -> tuple[float, Vector]:
        value, gradient = surrogate.acquisition_with_gradient(x)
        return -value, -gradient

    found = minimize(
        negative,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * len(start),
        options={"maxiter": MAX_ITERATIONS},
    )
    return domain.pull_back(start, np.clip(found.x, 0.0, 1.0))
