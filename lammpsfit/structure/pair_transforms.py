"""What diffraction sees of pair distances: S(q) and G(r) as sums over the pairs of a box.

With N atoms in the volume V, ρ = N/V, and n_ab(r) pairs of atoms, every pair once, at the distance
r,

    S(q) - 1 = Σ_ab w_ab(q) [ N f_ab Σ_r n_ab(r) sin(qr)/(qr) - 4πρ ∫_0^R r² sin(qr)/(qr) dr ]
    G(r)     = Σ_ab [ N f_ab Σ_r' n_ab(r') P_ab(r, r') / r' - 4πρ ∫_0^R r' P_ab(r, r') dr' ]

with f_ab = (1 + δ_ab) / [N_a (N_b - δ_ab)] and the weights w_ab of :mod:`.scattering`. Beyond the
reach R of the distances g(r) counts as 1. G(r) = 4πρ r [g(r) - 1] is the Fourier transform of
q [S(q) - 1] up to q_max, times a window M(q); what that makes of a distance r' is

    P_ab(r, r') = p_ab(r - r') - p_ab(r + r'),   p_ab(x) = 1/π ∫_0^q_max w_ab(q) M(q) cos(qx) dq

(B. E. Warren, X-ray Diffraction, Addison-Wesley (1969), chapter 10). The names of functions of r
are those of D. A. Keen, J. Appl. Cryst. 34, 172 (2001), doi:10.1107/S0021889800019993, divided by
(Σ c_a b_a)².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.structure.rdf import FloatArray

Q_STEP: Final = 0.01
"""Step in 1/Å of the integral over q: what it makes repeats itself after 628 Å only."""

X_STEP: Final = 0.005
"""Step in Å in which peak shapes are tabulated, some fortieth of their width."""


def pair_factors(numbers: Mapping[str, int], pairs: Sequence[str]) -> FloatArray:
    """N f_ab of every pair, shape (n_pairs,); see above."""
    total = sum(numbers.values())
    split = (pair.split("-") for pair in pairs)
    return np.array(
        [total * (1 + (a == b)) / (numbers[a] * (numbers[b] - (a == b))) for a, b in split]
    )


def wave_kernel(q: ArrayLike, r: ArrayLike, dr: float) -> FloatArray:
    """Mean of sin(qr)/(qr) over bins of the distance.

    Parameters
    ----------
    q : array_like, shape (n_q,), 1/Å
        Wavevectors.
    r : array_like, shape (n,), Å
        Centres of the bins.
    dr : float, Å
        Their width.

    Returns
    -------
    ndarray, shape (n, n_q)
    """
    q = np.asarray(q, dtype=np.float64)
    qr = np.multiply.outer(np.asarray(r, dtype=np.float64), q)
    kernel: FloatArray = np.sinc(qr / np.pi) * np.sinc(q * dr / (2 * np.pi))
    return kernel


def sphere_transform(q: ArrayLike, reach: float) -> FloatArray:
    """4π ∫_0^R r² sin(qr)/(qr) dr = 4π [sin(qR) - qR cos(qR)] / q³ in Å³, shape (n_q,), q > 0."""
    q = np.asarray(q, dtype=np.float64)
    x = q * reach
    transform: FloatArray = 4 * np.pi * (np.sin(x) - x * np.cos(x)) / q**3
    return transform


def lorch(q: ArrayLike, q_max: float) -> FloatArray:
    """Return the window sin(πq/q_max)/(πq/q_max) of E. Lorch (J. Phys. C 2, 229 (1969)).

    doi:10.1088/0022-3719/2/2/305.
    """
    window: FloatArray = np.sinc(np.asarray(q, dtype=np.float64) / q_max)
    return window


def peak_kernel(
    weights: ArrayLike, window: ArrayLike, q: ArrayLike, r: ArrayLike, distances: ArrayLike
) -> FloatArray:
    """Return what the transform makes of a distance r', P(r, r') in 1/Å.

    Parameters
    ----------
    weights, window : array_like, shape (n_q,)
        w_ab and M at `q`.
    q : array_like, shape (n_q,), 1/Å
        From 0 to q_max in equal steps.
    r : array_like, shape (n_r,), Å
        Where G(r) is wanted.
    distances : array_like, shape (n,), Å
        Distances r'.

    Returns
    -------
    ndarray, shape (n, n_r)
    """
    r, d = np.asarray(r, dtype=np.float64), np.asarray(distances, dtype=np.float64)
    q = np.asarray(q, dtype=np.float64)
    step = np.full(q.size, q[1] - q[0])
    step[[0, -1]] *= 0.5  # trapezium
    x = np.arange(0.0, r.max() + d.max() + 2 * X_STEP, X_STEP)
    amplitude = np.asarray(weights, dtype=np.float64) * np.asarray(window) * step / np.pi
    p = np.cos(np.multiply.outer(x, q)) @ amplitude
    near, far = np.abs(np.subtract.outer(d, r)), np.add.outer(d, r)
    kernel: FloatArray = np.interp(near, x, p) - np.interp(far, x, p)
    return kernel


def bin_kernel(r: ArrayLike, widths: ArrayLike, distances: ArrayLike, dr: float) -> FloatArray:
    """P(r, r') where there is no transform: distances are counted in bins about every r.

    Parameters
    ----------
    r, widths : array_like, shape (n_r,), Å
        Centres and widths of the bins in which G(r) is wanted.
    distances : array_like, shape (n,), Å
        Centres of bins of the distance r'.
    dr : float, Å
        Their width.

    Returns
    -------
    ndarray, shape (n, n_r), 1/Å
    """
    r, w = np.asarray(r, dtype=np.float64), np.asarray(widths, dtype=np.float64)
    d = np.asarray(distances, dtype=np.float64)[:, None]
    low, high = np.maximum(r - w / 2, d - dr / 2), np.minimum(r + w / 2, d + dr / 2)
    kernel: FloatArray = np.maximum(high - low, 0.0) / (dr * w)
    return kernel
