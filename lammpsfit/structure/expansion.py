"""Thermal expansion, from densities at several temperatures."""

from collections.abc import Sequence

import numpy as np

from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.line import weighted_slope


def linear_expansion(temperatures: Sequence[float], densities: Sequence[Estimate]) -> Estimate:
    """Linear expansion coefficient α = -1/3 d ln ρ / dT, in 1/K.

    The slope is that of weighted least squares, see
    :func:`~lammpsfit.structure.line.weighted_slope`.

    Parameters
    ----------
    temperatures : sequence of float, K
        Two or more.
    densities : sequence of Estimate
        ρ at each, in any unit, positive, with errors.

    Returns
    -------
    Estimate
        nan where a density has no error.

    Examples
    --------
    >>> found = linear_expansion([300.0, 400.0], [Estimate(2.2, 1e-4), Estimate(2.1934, 1e-4)])
    >>> f"{1e6 * found.mean:.1f}"
    '10.0'
    """
    T = np.array(temperatures, dtype=np.float64)
    density = np.array([one.mean for one in densities])
    errors = np.array([one.error for one in densities])
    if not np.all(errors > 0.0):
        return Estimate(float("nan"), float("nan"))
    slope = weighted_slope(T, np.log(density), errors / density)
    return Estimate(-slope.mean / 3.0, slope.error / 3.0)
