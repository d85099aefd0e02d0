"""Spline: U(r) = sum of c_k B_k(r), cubic B-splines on knots; zero from the last knot on.

With tens of coefficients it is as flexible as a pair potential can be; added to another form it is
a correction of it. With knots t_0 < ... < t_m there are m coefficients. B_k lives between t_(k-4)
and t_k, and is largest near t_(k-2); at t_k it ends with its slope and its curvature. Further in
than t_0 the spline goes on straight. De Boor, A Practical Guide to Splines, Springer (1978),
chapter X.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield.forms.base import Array, Form, Parameter, Values
from lammpsfit.forcefield.limits import LONGEST_CUTOFF
from lammpsfit.inputs import quoted

DEGREE: Final = 3
"""Of the pieces."""

FEWEST: Final = 3
"""Knots: fewer make no curve that could be told from a straight line and its end."""

MOST: Final = 101
"""Knots: with more, no run tells the coefficients apart."""

CLOSEST: Final = 0.02
"""Least distance of two knots in Å, near that of the bins that distances are counted in."""


@dataclass(frozen=True)
class _Spline:
    """The spline of one set of knots.

    Attributes
    ----------
    knots
        Distances in Å, rising.
    """

    knots: tuple[float, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients: ``c1``, ``c2``, ..."""
        return tuple(f"c{k}" for k in range(1, len(self.knots)))

    def energy(self, r: Array, values: Values) -> Array:
        """Return the sum of c_k B_k(r)."""
        return np.tensordot(self._coefficients(values), self.basis(r), 1)

    def slope(self, r: Array, values: Values) -> Array:
        """Return the sum of c_k dB_k/dr."""
        return np.tensordot(self._coefficients(values), self.basis_slope(r), 1)

    def parameter_gradient(self, r: Array, values: Values) -> Array:
        """Return dU/dc_k = B_k(r), whatever the values are."""
        return self.basis(r)

    def slope_gradient(self, r: Array, values: Values) -> Array:
        """Return the dB_k/dr."""
        return self.basis_slope(r)

    def basis(self, r: Array) -> Array:
        """Return the B-splines at distances in Å of any shape, shape (n_coefficients, ...)."""
        inside = np.clip(r, self.knots[0], self.knots[-1])
        rows: Array = self._pieces(inside, DEGREE)[: len(self.knots) - 1]
        # beyond the last knot all of them and their slopes are 0
        return rows + self._slopes(inside) * (r - inside)

    def basis_slope(self, r: Array) -> Array:
        """Return the derivatives of :meth:`basis` in r in 1/Å."""
        return self._slopes(np.clip(r, self.knots[0], self.knots[-1]))

    def _coefficients(self, values: Values) -> Array:
        return np.array([values[name] for name in self.names])

    def _slopes(self, r: Array) -> Array:
        """Return dB_k/dr, the difference of two B-splines of one degree less."""
        t, p, n = self._extended, DEGREE, len(self.knots) - 1
        lower = self._pieces(r, p - 1)
        rise, fall = (p / (t[p + k : p + k + n] - t[k : k + n]) for k in (0, 1))
        up, down = (lower[k : k + n].T for k in (0, 1))
        return np.asarray((rise * up - fall * down).T)

    def _pieces(self, r: Array, degree: int) -> Array:
        """Return the B-splines of a degree by the recursion of Cox and de Boor, first to last."""
        t, r = self._extended, np.asarray(r, dtype=np.float64)
        shape = (-1,) + (1,) * r.ndim
        # the last knot belongs to the interval before it
        last = np.nextafter(self.knots[-1], 0.0)
        within = np.minimum(r, last)
        rows = ((t[:-1].reshape(shape) <= within) & (within < t[1:].reshape(shape))).astype(float)
        for p in range(1, degree + 1):
            span = (t[p:] - t[:-p]).reshape(shape)
            rise = (r - t[:-p].reshape(shape)) / span
            fall = (t[p:].reshape(shape) - r) / span
            rows = rise[:-1] * rows[:-1] + fall[1:] * rows[1:]
        return rows

    @cached_property
    def _extended(self) -> Array:
        """The knots with those further in and out that the first and last B-splines reach to."""
        first, last = (np.diff(self.knots)[k] for k in (0, -1))
        inner = self.knots[0] - first * np.arange(DEGREE, 0, -1)
        outer = self.knots[-1] + last * np.arange(1, DEGREE + 1)
        return np.concatenate([inner, self.knots, outer])


def on_knots(knots: Sequence[float]) -> Form:
    """Return the form on these knots, distances in Å.

    Raises
    ------
    InputError
        If there are too few or too many, or they do not rise.
    """
    return _on_knots(tuple(float(knot) for knot in knots))


@lru_cache(maxsize=64)
def _on_knots(given: tuple[float, ...]) -> Form:
    if not FEWEST <= len(given) <= MOST:
        raise InputError(f"there must be {FEWEST} to {MOST} knots, got {len(given)}")
    if not all(math.isfinite(knot) and 0.0 < knot <= LONGEST_CUTOFF for knot in given):
        wrong = next(k for k in given if not (math.isfinite(k) and 0.0 < k <= LONGEST_CUTOFF))
        raise InputError(f"knots must be above 0 and up to {LONGEST_CUTOFF:g} Å, got {wrong:g}")
    for one, next_one in pairwise(given):
        if not next_one - one >= CLOSEST:
            raise InputError(
                f"knots must rise by {CLOSEST:g} Å or more, got {quoted(next_one)} after "
                f"{quoted(one)}"
            )
    spline = _Spline(given)
    return replace(
        _SHAPE,
        parameters=tuple(Parameter(name, "eV") for name in spline.names),
        energy=spline.energy,
        slope=spline.slope,
        parameter_gradient=spline.parameter_gradient,
        slope_gradient=spline.slope_gradient,
        knots=given,
    )


_NONE: Final = _Spline(())

_SHAPE: Final = Form(
    name="spline",
    formula="Σ c_k B_k(r)",
    parameters=(),
    energy=_NONE.energy,
    slope=_NONE.slope,
    parameter_gradient=_NONE.parameter_gradient,
    slope_gradient=_NONE.slope_gradient,
    on_knots=on_knots,
)

FORM = on_knots((1.0, 1.4, 1.8, 2.4, 3.2, 4.2, 5.5, 7.0))
