"""How the terms of a pair end at their cutoff: plainly, or shifted and smoothed.

The energy of terms that end plainly jumps there. No force knows of the jump, so that a run samples
the energy without it, as with LAMMPS's ``pair_modify shift yes``: :func:`without_jump`.
"""

from collections.abc import Callable
from typing import cast

import numpy as np

from lammpsfit.forcefield.forms.base import Array

Curve = Callable[[Array], Array]


def fade(r: Array, cutoff: float, gamma: float) -> Array:
    """Return G(r) = exp(-gamma^2/(r - R)^2) within the cutoff R, and zero beyond.

    All its derivatives are zero at R; it is the smoothing of doi:10.1063/1.5023707.

    Parameters
    ----------
    r
        Distances in Å, any shape.
    cutoff, gamma
        R and the width of the smoothing in Å.
    """
    inside = r < cutoff
    apart = np.where(inside, r - cutoff, -1.0)
    return cast(Array, np.where(inside, np.exp(-((gamma / apart) ** 2)), 0.0))


def fade_slope(r: Array, cutoff: float, gamma: float) -> Array:
    """Return dG/dr = 2 gamma^2/(r - R)^3 G(r) in 1/Å; arguments as for :func:`fade`."""
    apart = np.where(r < cutoff, r - cutoff, -1.0)
    return 2.0 * gamma**2 / apart**3 * fade(r, cutoff, gamma)


def ended(v: Curve, r: Array, cutoff: float, gamma: float) -> Array:
    """Return a term that ends at the cutoff R, or its derivative in parameters.

    It is v(r) up to R where `gamma` is zero, else [v(r) - v(R)] G(r).

    Parameters
    ----------
    v
        The term. It may return several rows, shape (k, ...) for distances of shape (...).
    r
        Distances in Å, any shape.
    cutoff, gamma
        R and the width of the smoothing in Å.
    """
    if not gamma:
        return cast(Array, np.where(r < cutoff, v(r), 0.0))
    edge = v(np.full((1,) * np.ndim(r), cutoff))
    return (v(r) - edge) * fade(r, cutoff, gamma)


def ended_slope(v: Curve, slope: Curve, r: Array, cutoff: float, gamma: float) -> Array:
    """Return the derivative in r of :func:`ended`, `slope` being that of `v`."""
    if not gamma:
        return cast(Array, np.where(r < cutoff, slope(r), 0.0))
    edge = v(np.full((1,) * np.ndim(r), cutoff))
    return slope(r) * fade(r, cutoff, gamma) + (v(r) - edge) * fade_slope(r, cutoff, gamma)


def without_jump(v: Curve, r: Array, cutoff: float) -> Array:
    """Return what a run feels of an energy of the distance, or of its derivatives in parameters.

    It is v(r) less its jump at the cutoff, at all distances within.

    Parameters
    ----------
    v
        Takes distances of shape (n,); returns shape (n, ...).
    r
        Distances in Å, shape (n,).
    cutoff
        Where v may jump, in Å.

    Examples
    --------
    >>> without_jump(lambda r: np.where(r < 2.0, 1.0 / r, 0.0), np.array([1.0, 2.0, 3.0]), 2.0)
    array([0.5, 0. , 0. ])
    """
    values = v(np.append(r, (np.nextafter(cutoff, 0.0), cutoff)))
    return cast(Array, values[:-2] - np.multiply.outer(r < cutoff, values[-2] - values[-1]))
