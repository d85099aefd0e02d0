"""Hyper-parameters of a Gaussian process: found by scikit-learn, now and then, on part of the data.

Maximising the marginal likelihood costs some hundred factorisations; an ask
can afford one. So hyper-parameters are fitted when the data have grown by a
fraction since the last fit, on at most :data:`MAX_POINTS` points, and every
ask conditions on all points with the hyper-parameters of that last fit.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lammpsfit.fit.base import Vector

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

FIRST_FIT = 8
"""Fewest points worth a fit; below, the guess of :func:`default_hyperparameters` is used."""

GROWTH = 1.2
"""Growth of the data that calls for a new fit."""

MAX_POINTS = 300
"""Most points a fit looks at."""

MAX_ITERATIONS = 60
"""Most steps of L-BFGS-B from one start."""

LENGTH_SCALE_BOUNDS = (0.02, 20.0)
AMPLITUDE_BOUNDS = (1e-2, 1e3)
NOISE_BOUNDS = (1e-8, 1.0)


@dataclass(frozen=True)
class Hyperparameters:
    """What a Gaussian process believes before it sees data.

    Attributes
    ----------
    mean
        Prior mean, in units of the values.
    amplitude
        Prior variance, in units of the values squared.
    length_scale
        Per coordinate, in units of the cube's edge, shape (d,).
    noise
        Noise variance common to all values.
    """

    mean: float
    amplitude: float
    length_scale: Vector
    noise: float


def last_fit(n: int, first: int = FIRST_FIT, growth: float = GROWTH) -> int:
    """Return the number of data the hyper-parameters for `n` data were last fitted to.

    A function of `n` alone: a resumed fit has the hyper-parameters of the
    original without redoing the fits in between. 0 where `n` is too few.

    Examples
    --------
    >>> [last_fit(n) for n in (7, 8, 9, 10, 11, 12)]
    [0, 8, 8, 10, 10, 12]
    """
    if n < first:
        return 0
    size = first
    while (following := math.ceil(size * growth)) <= n:
        size = following
    return size


def default_hyperparameters(y: Vector, dimension: int) -> Hyperparameters:
    """Guess from the spread of the values `y`, shape (n,), alone.

    The length scale grows with the root of the dimension as the distances in
    the cube do (Hvarfner, Hellsten & Nardi 2024, arXiv:2402.02229).
    """
    spread = float(np.var(y)) if len(y) > 1 else 0.0
    amplitude = spread or 1.0
    length_scale = np.full(dimension, 0.3 * math.sqrt(dimension))
    return Hyperparameters(float(np.mean(y)), amplitude, length_scale, 1e-4 * amplitude)


def fit_hyperparameters(X: Vector, y: Vector, variance: Vector, seed: int) -> Hyperparameters:
    """Maximise the marginal likelihood of data.

    Parameters
    ----------
    X
        Points, shape (n, d).
    y
        Values, shape (n,).
    variance
        Known noise variance of each value, shape (n,).
    seed
        Chooses the points where n is more than :data:`MAX_POINTS`.

    Returns
    -------
    Hyperparameters
        The better of the likelihood's maxima found from a short and a long length scale.
    """
    mean, unit = float(np.mean(y)), float(np.std(y)) or 1.0
    chosen = _subset(y, seed)
    X, z, alpha = X[chosen], (y[chosen] - mean) / unit, variance[chosen] / unit**2 + 1e-10
    guess = default_hyperparameters(z, X.shape[1]).length_scale
    fits = [_maximise_likelihood(X, z, alpha, factor * guess) for factor in (0.5, 2.0)]
    kernel = max(fits, key=lambda gp: gp.log_marginal_likelihood_value_).kernel_
    return Hyperparameters(
        mean=mean,
        amplitude=float(kernel.k1.k1.constant_value) * unit**2,
        length_scale=np.broadcast_to(kernel.k1.k2.length_scale, X.shape[1]).astype(np.float64),
        noise=float(kernel.k2.noise_level) * unit**2,
    )


def _subset(y: Vector, seed: int) -> NDArray[np.intp]:
    """Choose the points of a fit: the low half from where the search goes, the rest from anywhere.

    The low values alone would hide how the cost rises around them; a random
    choice alone would hardly see the valley that matters.
    """
    order = np.argsort(y, kind="stable")
    if len(y) <= MAX_POINTS:
        return order
    low, rest = order[: MAX_POINTS // 2], order[MAX_POINTS // 2 :]
    others = np.random.default_rng([seed, len(y)]).choice(
        rest, MAX_POINTS - len(low), replace=False
    )
    return np.concatenate([low, others])


def _maximise_likelihood(
    X: Vector, z: Vector, alpha: Vector, length_scale: Vector
) -> "GaussianProcessRegressor":
    # takes as long to import as the rest of a fit, and a short one never comes here
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0, AMPLITUDE_BOUNDS) * Matern(
        length_scale, LENGTH_SCALE_BOUNDS, nu=2.5
    ) + WhiteKernel(1e-2, NOISE_BOUNDS)
    gp = GaussianProcessRegressor(kernel, alpha=alpha, optimizer=_lbfgs)
    with warnings.catch_warnings():
        # A length scale at its upper bound says "this parameter does not matter", and a
        # likelihood not maximised to the last digit serves as well: neither is news to a user.
        warnings.simplefilter("ignore")
        return gp.fit(X, z)


def _lbfgs(
    objective: Callable[[Vector], tuple[float, Vector]], theta: Vector, bounds: Vector
) -> tuple[Vector, float]:
    """Minimise as scikit-learn's own optimiser does, but for a bounded number of steps."""
    found = minimize(
        objective,
        theta,
        jac=True,
        bounds=[(low, high) for low, high in bounds],
        method="L-BFGS-B",
        options={"maxiter": MAX_ITERATIONS},
    )
    return found.x, float(found.fun)
