"""Real spherical harmonics and their derivatives, in few operations that compile fast."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lammpsfit.gap.backend import Array, jax, jnp


class Columns(NamedTuple):
    """Of which l and m each harmonic is, and how it is scaled, each of shape (h,).

    Attributes
    ----------
    degree, order : ndarray of int
    sine : ndarray of int
        Zero for cos m phi, one for sin m phi.
    norm : ndarray
    """

    degree: NDArray[np.intp]
    order: NDArray[np.intp]
    sine: NDArray[np.intp]
    norm: NDArray[np.float64]


def harmonics(unit: Array, degrees: tuple[int, ...]) -> Array:
    """Real harmonics of unit vectors with sum_m Y_lm(u) Y_lm(v) = P_l(u.v).

    Parameters
    ----------
    unit : array, shape (..., 3)
    degrees
        The l, in the order of the result.

    Returns
    -------
    array, shape (..., sum of 2 l + 1)
        Polynomials in the components, so that they are smooth at the poles.
    """
    at = columns_of(degrees)
    top = max(degrees)
    turned, legendre = _turned(unit, top), _reduced_legendre(unit[..., 2], top)
    Y = legendre[at.degree, at.order] * turned[at.sine, at.order]
    return jnp.moveaxis(_each(at.norm, Y) * Y, 0, -1)


def harmonics_with_slopes(vectors: Array, degrees: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the harmonics of the directions of vectors, and their derivatives in these.

    Shapes (..., 3) give (..., h) and (..., 3, h), the latter 1/Å. With z = u_z the derivative of
    P_l^m / (1 - z^2)^(m/2) is that of m + 1, and that of (x + iy)^m is m (x + iy)^(m - 1).
    """
    r = jnp.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = vectors / r
    at = columns_of(degrees)
    top = max(degrees)
    turned, legendre = _turned(unit, top), _reduced_legendre(unit[..., 2], top)
    legendre = jnp.concatenate([legendre, jnp.zeros_like(legendre[:, :1])], axis=1)
    P, turn = legendre[at.degree, at.order], turned[at.sine, at.order]
    norm, order = _each(at.norm, P), _each(at.order, P)
    sign = _each(2 * at.sine - 1, P)
    below = np.maximum(at.order - 1, 0)
    along = jnp.stack(
        [
            norm * order * P * turned[at.sine, below],
            norm * order * sign * P * turned[1 - at.sine, below],
            norm * legendre[at.degree, at.order + 1] * turn,
        ]
    )
    slope = jnp.moveaxis(along, (0, 1), (-2, -1))  # (..., 3, h), as if x, y, z were free
    outwards = jnp.einsum("...a,...ah->...h", unit, slope)
    slope = (slope - unit[..., None] * outwards[..., None, :]) / r[..., None]
    return jnp.moveaxis(norm * P * turn, 0, -1), slope


@lru_cache
def columns_of(degrees: tuple[int, ...]) -> Columns:
    """Return what each harmonic is: for each l, m = 0, then cosine and sine of each m."""
    rows = []
    for degree in degrees:
        rows.append((degree, 0, 0, 1.0))
        for m in range(1, degree + 1):
            norm = math.sqrt(2.0 * math.factorial(degree - m) / math.factorial(degree + m))
            rows += [(degree, m, sine, norm) for sine in (0, 1)]
    degree_of, order, sine_of, norm_of = (np.array(column) for column in zip(*rows, strict=True))
    return Columns(degree_of, order, sine_of, norm_of)


def _turned(unit: Array, top: int) -> Array:
    """Return real and imaginary part of (x + iy)^m, shape (2, top + 1, ...)."""
    x, y = unit[..., 0], unit[..., 1]

    def turn(last: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        c, s = last
        return (x * c - y * s, x * s + y * c), jnp.stack(last)

    begin = jnp.ones_like(x), jnp.zeros_like(x)
    powers: Array = jax.lax.scan(turn, begin, None, length=top + 1)[1]
    return jnp.swapaxes(powers, 0, 1)


def _reduced_legendre(z: Array, top: int) -> Array:
    """P_l^m(z) / (1 - z^2)^(m/2), without the sign (-1)^m, shape (top + 1, top + 1, ...).

    By the upward recursion in l, for all m at once; zero where m > l.
    """
    degree, order = np.ogrid[1 : top + 1, : top + 1]
    below = order < degree
    apart = np.where(below, degree - order, 1)
    first = np.where(below, (2 * degree - 1) / apart, 0.0)
    second = np.where(below, (degree + order - 1) / apart, 0.0)
    odd = [float(math.prod(range(1, 2 * m, 2))) for m in range(1, top + 1)]  # of l = m
    begins = np.hstack([np.zeros((top, 1)), np.diag(odd)])

    def up(
        last: tuple[Array, Array], factors: tuple[Array, ...]
    ) -> tuple[tuple[Array, Array], Array]:
        a, b, c = factors
        P = a * z * last[0] - b * last[1] + c
        return (P, last[0]), P

    shape = (top, top + 1, *(1,) * z.ndim)
    factors = tuple(jnp.asarray(x.reshape(shape)) for x in (first, second, begins))
    zeroth = jnp.zeros((top + 1, *z.shape)).at[0].set(1.0)
    rest = jax.lax.scan(up, (zeroth, jnp.zeros_like(zeroth)), factors)[1]
    return jnp.concatenate([zeroth[None], rest])


def _each(values: NDArray[np.float64] | NDArray[np.intp], like: Array) -> Array:
    """Give each harmonic its value, for arrays whose first axis they are."""
    return jnp.asarray(values, dtype=float).reshape(-1, *(1,) * (like.ndim - 1))
