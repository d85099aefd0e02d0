"""A Gaussian process with known hyper-parameters: conditioning, prediction, gradients.

Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), alg. 2.1.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from lammpsfit.fit.base import Vector
from lammpsfit.fit.paper.hyperparameters import Hyperparameters
from lammpsfit.fit.paper.kernel import matern52, matern52_gradient

JITTER = 1e-10
"""Added to the diagonal, in units of the amplitude: keeps twin points factorisable."""


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process conditioned on n points.

    Attributes
    ----------
    theta
        Hyper-parameters.
    X
        Points, shape (n, d).
    y
        Values, shape (n,).
    variance
        Noise variance of each value, shape (n,), the common noise included.
    L
        Lower Cholesky factor of K + diag(variance), shape (n, n).
    weights
        (K + diag(variance))^-1 (y - mean), shape (n,).
    """

    theta: Hyperparameters
    X: Vector
    y: Vector
    variance: Vector
    L: Vector
    weights: Vector

    def predict(self, X: Vector) -> tuple[Vector, Vector]:
        """Return posterior mean and standard deviation (without noise) at `X`, shape (m, d).

        Returns
        -------
        tuple of arrays, each of shape (m,)
        """
        mean, V = self.project(X)
        return mean, self.spread(np.sum(V**2, axis=0))

    def project(self, X: Vector) -> tuple[Vector, Vector]:
        """Return the posterior mean, shape (m,), and V = L^-1 k, shape (n, m), at `X`, (m, d)."""
        K = self.theta.amplitude * matern52(X, self.X, self.theta.length_scale)
        V = solve_triangular(self.L, K.T, lower=True, check_finite=False)
        return self.theta.mean + K @ self.weights, V

    def project_on(self, X: Vector, V: Vector) -> Vector:
        """Return the further rows of L^-1 k at `X` where the first, `V`, shape (l, m), are known.

        They are those of a process that this one extends by n - l points; they cost
        (n - l) n m operations instead of n^2 m. Shape (n - l, m).
        """
        known = len(V)
        k = self.theta.amplitude * matern52(self.X[known:], X, self.theta.length_scale)
        k -= self.L[known:, :known] @ V
        return np.asarray(
            solve_triangular(self.L[known:, known:], k, lower=True, check_finite=False)
        )

    def spread(self, explained: Vector) -> Vector:
        """Return the standard deviations where v . v of the prior variance is `explained`."""
        return np.sqrt(np.maximum(self.theta.amplitude - explained, self._floor))

    def predict_mean(self, X: Vector) -> Vector:
        """Return the posterior mean at `X`, shape (m, d): shape (m,)."""
        K = self.theta.amplitude * matern52(X, self.X, self.theta.length_scale)
        return np.asarray(self.theta.mean + K @ self.weights)

    def mean(self, x: Vector) -> tuple[float, Vector]:
        """Return the posterior mean at one point, shape (d,), and its gradient, shape (d,).

        Costs n operations where the standard deviation costs n^2.
        """
        k = self.theta.amplitude * matern52(x[None], self.X, self.theta.length_scale)[0]
        dk = self.theta.amplitude * matern52_gradient(x, self.X, self.theta.length_scale)
        return self.theta.mean + float(k @ self.weights), dk.T @ self.weights

    def predict_with_gradient(self, x: Vector) -> tuple[float, Vector, float, Vector]:
        """Return mean, its gradient, standard deviation, its gradient at one point, shape (d,).

        With k(x) the covariances with the data and v = L^-1 k:

            mean = m + k . weights,     sd^2 = amplitude - v . v
            dmean/dx = dk/dx . weights, dsd/dx = -(dk/dx . L^-T v) / sd
        """
        k = self.theta.amplitude * matern52(x[None], self.X, self.theta.length_scale)[0]
        dk = self.theta.amplitude * matern52_gradient(x, self.X, self.theta.length_scale)
        v = solve_triangular(self.L, k, lower=True, check_finite=False)
        w = solve_triangular(self.L, v, lower=True, trans="T", check_finite=False)
        sd = math.sqrt(max(self.theta.amplitude - float(v @ v), self._floor))
        mean = self.theta.mean + float(k @ self.weights)
        return mean, dk.T @ self.weights, sd, -(dk.T @ w) / sd

    @property
    def means_at_data(self) -> Vector:
        """Posterior mean at the n points themselves, shape (n,).

        From K weights = (y - mean) - variance * weights, without another kernel matrix.
        """
        return self.y - self.variance * self.weights

    @property
    def _floor(self) -> float:
        """Smallest variance that is told from round-off."""
        return JITTER * self.theta.amplitude


def condition(
    theta: Hyperparameters, X: Vector, y: Vector, variance: Vector | float = 0.0
) -> GaussianProcess:
    """Condition a Gaussian process on data.

    Parameters
    ----------
    theta
        Hyper-parameters.
    X
        Points, shape (n, d), n >= 1.
    y
        Values, shape (n,).
    variance
        Noise variance of each value beyond the common noise of `theta`, shape (n,) or scalar.
    """
    total = _total_variance(theta, variance, len(y))
    K = theta.amplitude * matern52(X, X, theta.length_scale)
    K[np.diag_indices_from(K)] += total
    L = cholesky(K, lower=True, overwrite_a=True, check_finite=False)
    return GaussianProcess(theta, X, y, total, L, cho_solve((L, True), y - theta.mean))


def extend(gp: GaussianProcess, X: Vector, y: Vector) -> GaussianProcess:
    """Condition `gp` on further, exact values `y`, shape (m,), at `X`, shape (m, d).

    Exact even where `gp` has noise: this serves the believers' fantasies of
    pending points, and a point that is believed is not to be asked for again.
    The factor grows by a block, in n^2 m operations instead of n^3.
    """
    theta, n, m = gp.theta, len(gp.y), len(y)
    L = np.zeros((n + m, n + m), order="F")
    L[:n, :n] = gp.L
    B = theta.amplitude * matern52(gp.X, X, theta.length_scale)
    V = solve_triangular(gp.L, B, lower=True, check_finite=False)
    # A fantasy has no noise, so only the jitter stands against twin points: make it ample.
    variance = np.full(m, 1e4 * JITTER * theta.amplitude)
    C = theta.amplitude * matern52(X, X, theta.length_scale) + np.diag(variance) - V.T @ V
    L[n:, :n] = V.T
    L[n:, n:] = cholesky(C, lower=True)
    y = np.concatenate([gp.y, y])
    weights = cho_solve((L, True), y - theta.mean, check_finite=False)
    variance = np.concatenate([gp.variance, variance])
    return GaussianProcess(theta, np.vstack([gp.X, X]), y, variance, L, weights)


def _total_variance(theta: Hyperparameters, variance: Vector | float, n: int) -> Vector:
    return np.broadcast_to(variance, n) + (theta.noise + JITTER * theta.amplitude)
