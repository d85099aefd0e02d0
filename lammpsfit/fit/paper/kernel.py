"""The Matérn kernel with nu = 5/2, one length scale per coordinate, and its gradient.

    k(x, x') = (1 + s + s^2/3) exp(-s),   s = sqrt(5) |(x - x') / length_scale|

Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), eq. 4.17.
Twice differentiable and no more: smooth enough for a gradient search, without
the faith in analyticity that the squared exponential brings.
"""

import numpy as np
from scipy.spatial.distance import cdist

from lammpsfit.fit.base import Vector


def matern52(X: Vector, Y: Vector, length_scale: Vector) -> Vector:
    """Return k between all points of `X`, shape (n, d), and `Y`, shape (m, d): shape (n, m)."""
    s = np.sqrt(5.0) * np.asarray(cdist(X / length_scale, Y / length_scale))
    return np.asarray((1.0 + s + s**2 / 3.0) * np.exp(-s))


def matern52_gradient(x: Vector, Y: Vector, length_scale: Vector) -> Vector:
    """Return dk(x, y)/dx of one point `x`, shape (d,), with all of `Y`, shape (m, d): shape (m, d).

    dk/dx = -(5/3) (1 + s) exp(-s) (x - y) / length_scale^2
    """
    u = (x - Y) / length_scale
    s = np.sqrt(5.0 * np.sum(u**2, axis=1))
    return np.asarray((-5.0 / 3.0) * ((1.0 + s) * np.exp(-s))[:, None] * u / length_scale)
