"""Power of the distance: U(r) = C/r^n.

With n = 12 it is the wall beside the Morse form in Pedone et al., J. Phys. Chem. B 110, 11780
(2006), doi:10.1021/jp0611018.
"""

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return C/r^n."""
    return values["C"] * _inverse(r, values)


def slope(r: Array, values: Values) -> Array:
    """Return -n C/r^(n+1)."""
    return -values["n"] * values["C"] * _inverse(r, values) / r


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/dC = 1/r^n, dU/dn = -ln(r) C/r^n."""
    inverse = _inverse(r, values)
    return np.stack([inverse, -np.log(r) * values["C"] * inverse])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return -n/r^(n+1) and (n ln(r) - 1) C/r^(n+1), the derivatives of `parameter_gradient`."""
    n, next_inverse = values["n"], _inverse(r, values) / r
    return np.stack([-n * next_inverse, (n * np.log(r) - 1.0) * values["C"] * next_inverse])


def _inverse(r: Array, values: Values) -> Array:
    inverse: Array = r ** -float(values["n"])
    return inverse


FORM = Form(
    name="power",
    formula="C/r^n",
    parameters=(Parameter("C", "eV Å^n"), Parameter("n", "1", "positive")),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
)
