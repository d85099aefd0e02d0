"""Mie form: U(r) = K epsilon [(sigma/r)^n - (sigma/r)^m], of depth epsilon.

With K = n/(n - m) (n/m)^(m/(n - m)). Mie, Ann. Phys. 316, 657 (1903), doi:10.1002/andp.19033160802.
"""

import math

import numpy as np

from lammpsfit.forcefield.forms.base import Array, Form, LammpsStyle, Parameter, Values


def energy(r: Array, values: Values) -> Array:
    """Return K epsilon (s^n - s^m) with s = sigma/r."""
    repulsion, attraction = _powers(r, values)
    return values["epsilon"] * _prefactor(values) * (repulsion - attraction)


def slope(r: Array, values: Values) -> Array:
    """Return -K epsilon (n s^n - m s^m)/r."""
    return -values["epsilon"] * _prefactor(values) * _weighted(r, values) / r


def parameter_gradient(r: Array, values: Values) -> Array:
    """Return dU/depsilon, dU/dsigma, dU/dn and dU/dm.

    The last two are with d ln K/dn = -m L/(n - m)^2, d ln K/dm = n L/(n - m)^2, L = ln(n/m).
    """
    n, m, sigma = values["n"], values["m"], values["sigma"]
    repulsion, attraction = _powers(r, values)
    K = _prefactor(values)
    unit, strength, s = K * (repulsion - attraction), values["epsilon"], np.log(sigma / r)
    change = math.log(n / m) / (n - m) ** 2
    of_n = strength * (-m * change * unit + K * repulsion * s)
    of_m = strength * (n * change * unit - K * attraction * s)
    return np.stack([unit, strength * K * _weighted(r, values) / sigma, of_n, of_m])


def slope_gradient(r: Array, values: Values) -> Array:
    """Return the derivatives of `parameter_gradient` in r, with d s^n/dr = -n s^n/r."""
    n, m, sigma = values["n"], values["m"], values["sigma"]
    repulsion, attraction = _powers(r, values)
    K, weighted = _prefactor(values), _weighted(r, values)
    change = math.log(n / m) / (n - m) ** 2
    strength, s = K * values["epsilon"] / r, np.log(sigma / r)
    of_sigma = -strength * (n**2 * repulsion - m**2 * attraction) / sigma
    of_n = strength * (m * change * weighted - repulsion * (n * s + 1.0))
    of_m = strength * (attraction * (m * s + 1.0) - n * change * weighted)
    return np.stack([-K * weighted / r, of_sigma, of_n, of_m])


def _powers(r: Array, values: Values) -> tuple[Array, Array]:
    s = values["sigma"] / r
    return s ** values["n"], s ** values["m"]


def _weighted(r: Array, values: Values) -> Array:
    repulsion, attraction = _powers(r, values)
    return values["n"] * repulsion - values["m"] * attraction


def _prefactor(values: Values) -> float:
    n, m = values["n"], values["m"]
    return float(n / (n - m) * (n / m) ** (m / (n - m)))


def _refused(values: Values) -> str | None:
    n, m = values["n"], values["m"]
    return None if n > m else f"n must be above m, got n = {n:g} and m = {m:g}"


FORM = Form(
    name="mie",
    formula="n/(n - m) (n/m)^(m/(n - m)) epsilon [(sigma/r)^n - (sigma/r)^m]",
    parameters=(
        Parameter("epsilon", "eV", "zero or positive"),
        Parameter("sigma", "Å", "positive"),
        Parameter("n", "1", "positive"),
        Parameter("m", "1", "positive"),
    ),
    energy=energy,
    slope=slope,
    parameter_gradient=parameter_gradient,
    slope_gradient=slope_gradient,
    lammps=LammpsStyle("mie/cut", ("epsilon", "sigma", "n", "m")),
    refused=_refused,
)
