"""Residuals without noise in as few rows as a least-squares problem of d parameters needs.

With the decomposition [J y] = Q R of K residuals, |y + J s|² = |R_y + R_J s|² for every step s:
d + 1 rows say all that K do, and local models are copied for each jackknife replicate. A last row,
zero here, takes what lies outside of these where residuals are no longer linear.
"""

from dataclasses import dataclass

import numpy as np

from lammpsfit.fit.base import Vector


@dataclass(frozen=True, eq=False)
class ExactRows:
    """The rows at one point.

    Attributes
    ----------
    mean
        Residuals, shape (d + 2,).
    jacobian
        Their derivatives, shape (d + 2, d).
    basis
        Q, shape (K, m) with m = min(K, d + 1).
    """

    mean: Vector
    jacobian: Vector
    basis: Vector

    @classmethod
    def of(cls, y: Vector, J: Vector) -> "ExactRows":
        """Compress residuals, shape (K,), with their Jacobian, shape (K, d)."""
        d = J.shape[1]
        Q, R = np.linalg.qr(np.column_stack([J, y]))
        rows = np.zeros((d + 2, d + 1))
        rows[: len(R)] = R
        return cls(rows[:, d], rows[:, :d], Q)

    def projected(self, rho: Vector) -> Vector:
        """Return what K residuals add to these rows, shape (d + 2,).

        Squares and products with the residuals of the linear model are those of all K.
        """
        inside = self.basis.T @ rho
        found = np.zeros_like(self.mean)
        found[: len(inside)] = inside
        found[-1] = np.sqrt(max(float(rho @ rho - inside @ inside), 0.0))
        return found
