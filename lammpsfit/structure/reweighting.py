"""Frames of several runs, each at its own potential, as one sample of another potential.

The multistate Bennett acceptance ratio of Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008),
doi:10.1063/1.2978177: frame n, from any of the runs k with n_k frames each, counts for the
reduced energy βU(n) wanted with the weight

    w(n) ∝ exp(-βU(n)) / Σ_k n_k exp(f_k - βU_k(n)),

and the free energies f_k of the runs are those that make it consistent. As long as one of the runs
is at the potential wanted, the others can only add to what it tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

FloatArray = NDArray[np.float64]

TOLERANCE: Final = 1e-6
"""Frames by which the free energies may miss the number of frames of each run."""

NEWTON_STEPS: Final = 20
"""Of a search for free energies; runs that share frames need four or five."""

ROUNDING: Final = 1e-13
"""Relative, by which a step may seem to rise."""


def multistate_weights(energies: ArrayLike, frames: ArrayLike, wanted: ArrayLike) -> FloatArray:
    """Weights of frames of several runs for another potential.

    Parameters
    ----------
    energies : array_like, shape (K, n)
        Reduced energy βU of each of the n frames of all runs in the potential of each run.
    frames : array_like, shape (K,)
        Number of frames of each run, Σ = n.
    wanted : array_like, shape (n,)
        Reduced energy of each frame in the potential wanted.

    Returns
    -------
    ndarray, shape (n,)
        Weights that sum to one.
    """
    u = np.asarray(energies, dtype=np.float64)
    n = np.asarray(frames, dtype=np.float64)
    f = free_energies(u, n)
    log_w = -np.asarray(wanted, dtype=np.float64) - _log_mixture(f, u, n)
    weights: FloatArray = np.exp(log_w - logsumexp(log_w))
    return weights


def free_energies(u: FloatArray, n: FloatArray) -> FloatArray:
    """Find the free energies f of the runs in k_B T, shape (K,), f_0 = 0.

    They minimise the convex Σ_n log Σ_k n_k exp(f_k - u_kn) - Σ_k n_k f_k. Newton's steps do that
    where runs share frames; runs that share nothing with the others leave it flat, which a step of
    limited length stands.
    """
    if len(n) == 1:
        return np.zeros(1)
    # the mean of the two bounds of Gibbs and Bogoliubov: runs that share nothing stay apart there
    own = np.split(u - u[0], np.cumsum(n.astype(int))[:-1], axis=1)
    start = np.array([(own[k][k].mean() + own[0][k].mean()) / 2 for k in range(len(n))])
    start -= start[0]
    objective = _Objective(u, n)
    found = _newton(objective, start[1:])
    if found is None:
        found = minimize(
            lambda f: objective(f)[0],
            start[1:],
            jac=lambda f: objective(f)[1],
            hess=lambda f: objective(f)[2],
            method="trust-exact",
            tol=TOLERANCE,
        ).x
    return np.concatenate([[0.0], found])


@dataclass(frozen=True, eq=False)
class _Objective:
    """What free energies minimise, per frame, with its derivatives in all but the first."""

    u: FloatArray
    n: FloatArray

    def __call__(self, rest: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return value, slope and curvature at the free energies `rest`, shape (K - 1,)."""
        n, total = self.n, self.n.sum()
        f = np.concatenate([[0.0], rest])
        logs = (np.log(n) + f)[:, None] - self.u
        highest = logs.max(axis=0)
        share = np.exp(logs - highest)
        sums = share.sum(axis=0)
        share /= sums
        value = float((np.log(sums).sum() + highest.sum() - n @ f) / total)
        by_run = share.sum(axis=1)
        curved = (np.diag(by_run) - share @ share.T) / total
        return value, ((by_run - n) / total)[1:], curved[1:, 1:]


def _newton(objective: _Objective, f: FloatArray) -> FloatArray | None:
    """Minimise by Newton's steps; None where one of them does not help."""
    value, slope, curvature = objective(f)
    for _ in range(NEWTON_STEPS):
        if np.linalg.norm(slope) < TOLERANCE:
            return f
        try:
            f = f - np.linalg.solve(curvature, slope)
        except np.linalg.LinAlgError:
            return None
        before = value
        value, slope, curvature = objective(f)
        if not value <= before + ROUNDING * abs(before):
            return None
    return None


def _log_mixture(f: FloatArray, u: FloatArray, n: FloatArray) -> FloatArray:
    """Logarithm of the density all runs together sample each frame with, shape (n,)."""
    mixture: FloatArray = logsumexp((np.log(n) + f)[:, None] - u, axis=0)
    return mixture


def effective_samples(weights: ArrayLike) -> float:
    """Count the frames of equal weight that tell as much, (Σw)² / Σw² (Kish).

    Examples
    --------
    >>> effective_samples([0.5, 0.5, 0.0])
    2.0
    """
    w = np.asarray(weights, dtype=np.float64)
    return float(w.sum() ** 2 / (w @ w))
