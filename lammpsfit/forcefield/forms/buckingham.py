"""Buckingham form: exponential wall and dispersion, U(r) = A exp(-r/rho) - C/r^6."""

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, LammpsStyle, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return A exp(-r/rho) - C/r^6."""
    return values["A"] * np.exp(-r / values["rho"]) - values["C"] * _inverse_sixth(r)


def slope(r: Array, values: Values) -> Array:
    """Return -(A/rho) exp(-r/rho) + 6 C/r^7."""
    rho = values["rho"]
    return -values["A"] / rho * np.exp(-r / rho) + 6.0 * values["C"] * _inverse_sixth(r) / r


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/dA = exp(-r/rho), dU/drho = (A r/rho^2) exp(-r/rho), dU/dC = -1/r^6."""
    rho = values["rho"]
    decay = np.exp(-r / rho)
    return np.stack([decay, values["A"] * r / rho**2 * decay, -_inverse_sixth(r)])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return the derivatives of `parameter_gradient` in r, a row each."""
    rho = values["rho"]
    decay = np.exp(-r / rho)
    of_rho = values["A"] / rho**2 * (1.0 - r / rho) * decay
    return np.stack([-decay / rho, of_rho, 6.0 * _inverse_sixth(r) / r])


def _inverse_sixth(r: Array) -> Array:
    inverse_square = 1.0 / (r * r)
    return inverse_square * inverse_square * inverse_square


FORM = Form(
    name="buckingham",
    formula="A exp(-r/rho) - C/r^6",
    parameters=(
        Parameter("A", "eV", "zero or positive"),
        Parameter("rho", "Å", "positive"),
        Parameter("C", "eV Å^6"),
    ),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
    lammps=LammpsStyle("buck", ("A", "rho", "C")),
)
