"""Morse form: U(r) = De [(1 - x)^2 - 1] with x = exp(-a (r - r0)).

Morse, Phys. Rev. 34, 57 (1929), doi:10.1103/PhysRev.34.57. With C/r^12 it is the form of
Pedone et al., J. Phys. Chem. B 110, 11780 (2006), doi:10.1021/jp0611018.
"""

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, LammpsStyle, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return De (x^2 - 2 x)."""
    x = _decay(r, values)
    return values["De"] * x * (x - 2.0)


def slope(r: Array, values: Values) -> Array:
    """Return -2 a De (x^2 - x)."""
    x = _decay(r, values)
    return -2.0 * values["a"] * values["De"] * x * (x - 1.0)


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/dDe = x^2 - 2 x, dU/da = -2 De (r - r0) (x^2 - x), dU/dr0 = 2 a De (x^2 - x)."""
    x = _decay(r, values)
    change = 2.0 * values["De"] * x * (x - 1.0)
    return np.stack([x * (x - 2.0), -(r - values["r0"]) * change, values["a"] * change])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return the derivatives of `parameter_gradient` in r, with dx/dr = -a x."""
    a, De, x = values["a"], values["De"], _decay(r, values)
    once, twice = x * (x - 1.0), x * (2.0 * x - 1.0)
    of_a = -2.0 * De * (once - a * (r - values["r0"]) * twice)
    return np.stack([-2.0 * a * once, of_a, -2.0 * a**2 * De * twice])


def _decay(r: Array, values: Values) -> Array:
    x: Array = np.exp(-values["a"] * (r - values["r0"]))
    return x


FORM = Form(
    name="morse",
    formula="De [(1 - exp(-a (r - r0)))^2 - 1]",
    parameters=(
        Parameter("De", "eV", "zero or positive"),
        Parameter("a", "1/Å", "positive"),
        Parameter("r0", "Å", "positive"),
    ),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
    lammps=LammpsStyle("morse", ("De", "a", "r0")),
)
