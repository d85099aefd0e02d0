"""Moduli of a stiffness matrix, and of the isotropic solid that a glass is.

A glass in a box is nearly isotropic: the three C_11, C_22, C_33 differ by the disorder of a box of
its size. Their scatter, and that of the others, gives the errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import FloatArray


@dataclass(frozen=True)
class Moduli:
    """Of an isotropic solid, in the unit of the stiffness; the ratio has none.

    Attributes
    ----------
    bulk, shear, young, poisson : Estimate
        K, G, E = 9KG/(3K + G) and ν = (3K - 2G)/(6K + 2G).
    """

    bulk: Estimate
    shear: Estimate
    young: Estimate
    poisson: Estimate


def isotropic(stiffness: ArrayLike) -> Moduli:
    """Average a stiffness over all orientations, as Voigt does.

    Parameters
    ----------
    stiffness : array_like, shape (6, 6)
        In the order xx, yy, zz, yz, xz, xy.

    Returns
    -------
    Moduli
        Errors follow from the scatter of the three elements that are alike in an isotropic solid.
    """
    C: FloatArray = np.asarray(stiffness, dtype=np.float64)
    alike = np.array(
        [
            [C[0, 0], C[1, 1], C[2, 2]],
            [C[0, 1] + C[1, 0], C[1, 2] + C[2, 1], C[0, 2] + C[2, 0]],
            [C[3, 3], C[4, 4], C[5, 5]],
        ]
    ) * np.array([[1.0], [0.5], [1.0]])
    mean, error = alike.mean(axis=1), alike.std(axis=1, ddof=1) / np.sqrt(3.0)
    shifts = 1e-6 * np.abs(mean).max() * np.eye(3)
    slopes = np.array([(_voigt(mean + h) - _voigt(mean - h)) / (2.0 * h.max()) for h in shifts])
    errors = np.sqrt(error**2 @ slopes**2)
    return Moduli(
        *(Estimate(float(m), float(e)) for m, e in zip(_voigt(mean), errors, strict=True))
    )


def _voigt(elements: FloatArray) -> FloatArray:
    """K, G, E and ν from C_11, C_12 and C_44, shape (4,)."""
    c11, c12, c44 = elements.tolist()
    K = (c11 + 2.0 * c12) / 3.0
    G = (c11 - c12 + 3.0 * c44) / 5.0
    return np.array([K, G, 9.0 * K * G / (3.0 * K + G), (3.0 * K - 2.0 * G) / (6.0 * K + 2.0 * G)])


def bulk_modulus(stiffness: ArrayLike) -> float:
    """Return how much pressure a crystal needs to shrink: K = -V dP/dV.

    It is Reuss's average of the compliance S, 1/K = S_11 + S_22 + S_33 + 2 (S_12 + S_23 + S_13).

    Parameters
    ----------
    stiffness : array_like, shape (6, 6)
        In the order xx, yy, zz, yz, xz, xy; the unit of the result.

    Examples
    --------
    >>> C = np.diag([3.0, 3.0, 3.0, 1.0, 1.0, 1.0])
    >>> C[:3, :3] += 1.5
    >>> round(bulk_modulus(C), 6)
    2.5
    """
    compliance = np.linalg.inv(np.asarray(stiffness, dtype=np.float64))
    return 1.0 / float(compliance[:3, :3].sum())
