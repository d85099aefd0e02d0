"""Expected improvement, on a logarithmic scale that does not run out of digits.

With the posterior mean mu and standard deviation sd of the values, the lowest
value so far `best` and z = (best - mu)/sd:

    EI = E[max(best - f, 0)] = sd h(z),   h(z) = phi(z) + z Phi(z)

(Jones, Schonlau & Welch, J. Glob. Optim. 13, 455 (1998),
doi:10.1023/A:1008306431147.) h(-40) is 0 in double precision, and so is its
gradient: a search started there goes nowhere. Its logarithm is as tame as z^2
(Ament et al. 2023, arXiv:2310.20708).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, log_ndtr, ndtr

from lammpsfit.fit.base import Vector

LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)

FAR = -1.0e3
"""Below this z the first terms of the asymptotic series beat the cancelling difference."""


def log_phi(z: ArrayLike) -> Vector:
    """Return the logarithm of the standard normal density."""
    return np.asarray(-0.5 * np.square(z) - LOG_SQRT_2PI)


def log_h(z: ArrayLike) -> Vector:
    """Return log(phi(z) + z Phi(z)), accurate for all finite z.

    For negative z, Phi/phi = sqrt(pi/2) erfcx(-z/sqrt 2) is free of underflow
    and h = phi (1 + z Phi/phi). Far out 1 + z Phi/phi = z^-2 - 3 z^-4 + ...

    Examples
    --------
    >>> log_h([0.0, -30.0, -1e6]).round(3).tolist()
    [-0.919, -457.725, -500000000028.55]
    """
    z = np.atleast_1d(np.asarray(z, dtype=np.float64))
    near, far = z > -1.0, z < FAR
    middle = ~near & ~far
    out = np.empty_like(z)
    out[near] = np.log(np.exp(log_phi(z[near])) + z[near] * ndtr(z[near]))
    t = z[middle]
    ratio = np.sqrt(np.pi / 2.0) * erfcx(-t / np.sqrt(2.0))
    out[middle] = log_phi(t) + np.log1p(t * ratio)
    t = z[far]
    out[far] = log_phi(t) - 2.0 * np.log(-t) + np.log1p(-3.0 / t**2)
    return out


def log_expected_improvement(mean: ArrayLike, sd: ArrayLike, best: float) -> Vector:
    """Return log EI of points with posterior `mean` and `sd`, each of shape (n,).

    Examples
    --------
    >>> log_expected_improvement([0.0, 40.0], [1.0, 1.0], best=0.0).round(2).tolist()
    [-0.92, -808.3]
    """
    sd = np.asarray(sd, dtype=np.float64)
    return np.asarray(np.log(sd) + log_h((best - np.asarray(mean)) / sd))


def log_expected_improvement_derivatives(
    mean: ArrayLike, sd: ArrayLike, best: float
) -> tuple[Vector, Vector]:
    """Return the derivatives of log EI with respect to `mean` and to `sd`, each of shape (n,).

    dEI/dmu = -Phi(z) and dEI/dsd = phi(z), both divided by EI = sd h(z); as
    differences of logarithms, since each factor alone may underflow.
    """
    sd = np.asarray(sd, dtype=np.float64)
    z = (best - np.asarray(mean)) / sd
    log_ei = np.log(sd) + log_h(z)
    return -np.exp(log_ndtr(z) - log_ei), np.exp(log_phi(z) - log_ei)
