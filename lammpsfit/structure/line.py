"""Slope of a straight line through points with errors."""

import numpy as np

from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import FloatArray


def weighted_slope(x: FloatArray, y: FloatArray, errors: FloatArray) -> Estimate:
    """Slope of a straight line by weighted least squares.

    Where the points are further off the line than their errors say, the error of the slope grows
    by as much.

    Parameters
    ----------
    x
        Where the points are, shape (n,) with n of two or more; not all the same.
    y
        Their values, shape (n,).
    errors
        Standard errors of the values, shape (n,), positive.

    Examples
    --------
    >>> x, errors = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.1, 0.1])
    >>> slope = weighted_slope(x, 3.0 * x, errors)
    >>> round(slope.mean, 6), round(slope.error, 6)
    (3.0, 0.070711)
    """
    weights = errors**-2
    middle = weights @ x / weights.sum()
    spread = weights @ (x - middle) ** 2
    slope = weights @ ((x - middle) * y) / spread
    rest = y - weights @ y / weights.sum() - slope * (x - middle)
    off = weights @ rest**2 / (y.size - 2) if y.size > 2 else 1.0
    return Estimate(float(slope), float(np.sqrt(max(1.0, off) / spread)))
