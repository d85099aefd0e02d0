"""How well a fit determines U(r): the errors of the parameters, carried over to the curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.fit.base import Vector
from lammpsfit.forcefield import ParameterSpace


def curve_errors(
    space: ParameterSpace, u: Vector, block: Mapping[str, Any], pair: str, r: ArrayLike
) -> Vector:
    """Return the standard error of U(r) of a pair, what the runs do not resolve being held.

    With the covariance C of the parameters in η (:mod:`lammpsfit.fit.certainty.uncertainty`) it is
    the root of (dU/dη)ᵀ C (dU/dη).

    Parameters
    ----------
    space
        The space of the fit.
    u
        The fitted point, shape (d,).
    block
        The ``uncertainty`` of a result.
    pair
        Name of the pair.
    r
        Distances in Å, shape (n,).

    Returns
    -------
    array, shape (n,)
        In eV.
    """
    scale = [
        free.derivative(x) / free.value(x) if block["relative"][free.name] else 1.0
        for free, x in zip(space.free, u, strict=True)
    ]
    slopes = space.gradient(u, pair, r) / np.array(scale)[:, None]
    variance = np.einsum("in,ij,jn->n", slopes, np.array(block["covariance"]), slopes)
    errors: Vector = np.sqrt(np.maximum(variance, 0.0))
    return errors
