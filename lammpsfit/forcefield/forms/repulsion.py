"""Hard core U(r) = D/r^24: keeps atoms out of the hole at the centre of the Buckingham form.

Added to silica potentials in doi:10.1557/mrc.2019.47; never fitted there.
"""

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return D/r^24."""
    return values["D"] * _inverse_24th(r)


def slope(r: Array, values: Values) -> Array:
    """Return -24 D/r^25."""
    return -24.0 * values["D"] * _inverse_24th(r) / r


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/dD = 1/r^24."""
    return np.stack([_inverse_24th(r)])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return -24/r^25, the derivative of `parameter_gradient` in r."""
    return np.stack([-24.0 * _inverse_24th(r) / r])


def _inverse_24th(r: Array) -> Array:
    cube = r * r * r
    square = 1.0 / (cube * cube)
    return (square * square) * (square * square)


FORM = Form(
    name="repulsion",
    formula="D/r^24",
    parameters=(Parameter("D", "eV Å^24", "zero or positive"),),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
    core=True,
)
