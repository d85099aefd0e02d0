"""Lennard-Jones form: U(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6].

Lennard-Jones, Proc. R. Soc. A 106, 463 (1924), doi:10.1098/rspa.1924.0082.
"""

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, LammpsStyle, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return 4 epsilon (s^2 - s) with s = (sigma/r)^6."""
    s = _sixth(r, values)
    return 4.0 * values["epsilon"] * s * (s - 1.0)


def slope(r: Array, values: Values) -> Array:
    """Return -24 epsilon (2 s^2 - s)/r."""
    s = _sixth(r, values)
    return -24.0 * values["epsilon"] * s * (2.0 * s - 1.0) / r


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/depsilon = 4 (s^2 - s), dU/dsigma = 24 epsilon (2 s^2 - s)/sigma."""
    s = _sixth(r, values)
    of_sigma = 24.0 * values["epsilon"] * s * (2.0 * s - 1.0) / values["sigma"]
    return np.stack([4.0 * s * (s - 1.0), of_sigma])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return the derivatives of `parameter_gradient` in r, with ds/dr = -6 s/r."""
    s = _sixth(r, values)
    of_sigma = -144.0 * values["epsilon"] * s * (4.0 * s - 1.0) / (values["sigma"] * r)
    return np.stack([-24.0 * s * (2.0 * s - 1.0) / r, of_sigma])


def _sixth(r: Array, values: Values) -> Array:
    square = (values["sigma"] / r) ** 2
    return square * square * square


FORM = Form(
    name="lennard-jones",
    formula="4 epsilon [(sigma/r)^12 - (sigma/r)^6]",
    parameters=(
        Parameter("epsilon", "eV", "zero or positive"),
        Parameter("sigma", "Å", "positive"),
    ),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
    lammps=LammpsStyle("lj/cut", ("epsilon", "sigma")),
)
