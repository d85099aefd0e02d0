"""Born-Mayer-Huggins form: U(r) = A exp((sigma - r)/rho) - C/r^6 - D8/r^8.

Fumi and Tosi, J. Phys. Chem. Solids 25, 31 (1964), doi:10.1016/0022-3697(64)90159-3.
"""

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, LammpsStyle, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return A exp((sigma - r)/rho) - C/r^6 - D8/r^8."""
    sixth = r**-6.0
    return values["A"] * _decay(r, values) - values["C"] * sixth - values["D8"] * sixth / r**2


def slope(r: Array, values: Values) -> Array:
    """Return -(A/rho) exp((sigma - r)/rho) + 6 C/r^7 + 8 D8/r^9."""
    seventh = r**-7.0
    wall = values["A"] / values["rho"] * _decay(r, values)
    return 6.0 * values["C"] * seventh + 8.0 * values["D8"] * seventh / r**2 - wall


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/dA, dU/drho = A (r - sigma)/rho^2 exp(...), dU/dsigma, -1/r^6, -1/r^8."""
    decay, sixth, rho = _decay(r, values), r**-6.0, values["rho"]
    wall = values["A"] * decay
    of_rho = wall * (r - values["sigma"]) / rho**2
    return np.stack([decay, of_rho, wall / rho, -sixth, -sixth / r**2])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return the derivatives of `parameter_gradient` in r, a row each."""
    decay, seventh, rho = _decay(r, values), r**-7.0, values["rho"]
    wall = values["A"] * decay / rho**2
    of_rho = wall * (1.0 - (r - values["sigma"]) / rho)
    return np.stack([-decay / rho, of_rho, -wall, 6.0 * seventh, 8.0 * seventh / r**2])


def _decay(r: Array, values: Values) -> Array:
    decay: Array = np.exp((values["sigma"] - r) / values["rho"])
    return decay


FORM = Form(
    name="born-mayer-huggins",
    formula="A exp((sigma - r)/rho) - C/r^6 - D8/r^8",
    parameters=(
        Parameter("A", "eV", "zero or positive"),
        Parameter("rho", "Å", "positive"),
        Parameter("sigma", "Å"),
        Parameter("C", "eV Å^6"),
        Parameter("D8", "eV Å^8"),
    ),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
    lammps=LammpsStyle("born", ("A", "rho", "sigma", "C", "-D8")),
)
