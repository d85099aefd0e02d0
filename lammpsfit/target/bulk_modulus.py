"""The bulk modulus K = -V dP/dV at a temperature, between two conditions.

Between two boxes of constant volume it is found from their pressures, between two constant
pressures from the densities,

    K = (P_2 - P_1) / ln(ρ_2 / ρ_1).

The residual is y = s (K - w) in the first case, linear in what is averaged. In the second it is
that of the compressibility,

    y = s w (1 - w/K),

which is the same to first order about the value wanted w, is linear in ln ρ, and stays finite where
the densities come close to each other. s is 0.01 by the deviation that counts as R = 1 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

import numpy as np

from lammpsfit.config import BulkModulusTable
from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.system import System
from lammpsfit.target.joint_term import JointTerm, Watched
from lammpsfit.target.term import Column, Setting
from lammpsfit.target.terms.density import Density
from lammpsfit.target.terms.pressure import Pressure
from lammpsfit.units import BAR_PER_GPA

PART = 0.05
"""Part of the modulus wanted whose deviation counts as much as R = 1 %, unless told otherwise."""


@dataclass(frozen=True)
class BulkModulus(JointTerm):
    """A bulk modulus, in bar.

    Attributes
    ----------
    conditions
        The two conditions.
    wanted_value, per_percent
        What is wanted, and the deviation that counts as much as R = 1 %, bar.
    fixed
        What the conditions keep: densities in g/cm³, or pressures in bar.
    averages
        What their runs average: pressures in bar, or densities in g/cm³.
    """

    conditions: tuple[str, str]
    wanted_value: float
    per_percent: float
    fixed: tuple[float, float]
    averages: tuple[Watched, Watched]

    @property
    def at_pressures(self) -> bool:
        """Whether the pressures are kept, and the densities averaged."""
        return isinstance(self.averages[0].term, Density)

    @property
    def column(self) -> Column:
        """How it is shown in tables."""
        one, two = self.conditions
        label = f"K {one}-{two}"
        return Column(
            f"bulk modulus {one}-{two}",
            label,
            "GPa",
            1 / BAR_PER_GPA,
            2,
            self.wanted_value,
            f"{label}: bulk modulus between these conditions, its share that over all conditions; "
            f"a deviation of {self.per_percent / BAR_PER_GPA:.3g} GPa counts as much as R = 1 %",
        )

    def watched(self, condition: str) -> Watched:
        """Return what is averaged under one of the conditions."""
        return self.averages[self.conditions.index(condition)]

    def value(self, x: FloatArray) -> FloatArray:
        """Return K in bar, shape (...,), of pressures or densities, shape (..., 2)."""
        with np.errstate(divide="ignore"):
            return np.asarray(self._pressures(x) / self._strain(x))

    def value_slope(self, x: FloatArray) -> FloatArray:
        """Return dK/dx, shape (..., 2)."""
        if self.at_pressures:
            with np.errstate(divide="ignore"):
                ends = -self.value(x)[..., None] / self._strain(x)[..., None] / x
        else:
            ends = np.ones_like(x) / self._strain(x)
        return np.asarray(ends * [-1.0, 1.0])

    def residual(self, x: FloatArray) -> FloatArray:
        """Return y, shape (...,)."""
        w, s = self.wanted_value, 0.01 / self.per_percent
        if self.at_pressures:
            return np.asarray(s * w * (1.0 - w * self._strain(x) / self._pressures(x)))
        return np.asarray(s * (self.value(x) - w))

    def residual_slope(self, x: FloatArray) -> FloatArray:
        """Return ∂y/∂x, shape (..., 2)."""
        w, s = self.wanted_value, 0.01 / self.per_percent
        if self.at_pressures:
            return np.asarray(s * w**2 / self._pressures(x) / x * [1.0, -1.0])
        return s * self.value_slope(x)

    def _pressures(self, x: FloatArray) -> FloatArray:
        """Return P_2 - P_1 in bar."""
        if self.at_pressures:
            return np.asarray(self.fixed[1] - self.fixed[0])
        return np.asarray(x[..., 1] - x[..., 0])

    def _strain(self, x: FloatArray) -> FloatArray:
        """Return ln(ρ_2/ρ_1)."""
        if self.at_pressures:
            return np.asarray(np.log(x[..., 1] / x[..., 0]))
        return np.asarray(np.log(self.fixed[1] / self.fixed[0]))


def watched(setting: Setting) -> Watched:
    """Return what a condition averages: its density where a barostat sets the pressure."""
    if setting.protocol.ensemble == "npt":
        return Watched(Density(0.0, 1.0, setting.potential.masses))
    return Watched(Pressure(0.0, 1.0))


def build(
    tables: Sequence[BulkModulusTable], settings: Mapping[str, Setting]
) -> tuple[BulkModulus, ...]:
    """Make the terms of ``[[bulk_modulus]]`` tables, of conditions by name.

    Raises
    ------
    InputError
        If there is no modulus between the two of one.
    """
    check_conditions(tables, list(settings))
    return tuple(_build(table, settings) for table in tables)


def check_conditions(tables: Sequence[BulkModulusTable], known: Sequence[str]) -> None:
    """Check that each is between two of the conditions of a job, known by their names.

    Raises
    ------
    InputError
        If it is not, or two are between the same.
    """
    between = [{*table.conditions} for table in tables]
    for table, both in zip(tables, between, strict=True):
        one, two = table.conditions
        if len(known) < 2:
            raise InputError("bulk_modulus needs two conditions: add another one, [[also]]")
        for name in table.conditions:
            if name not in known:
                raise InputError(
                    f"bulk_modulus.conditions must be two of {', '.join(known)}, got {quoted(name)}"
                )
        if one == two:
            raise InputError(
                f"bulk_modulus.conditions must be two different ones, got {quoted(one)} twice"
            )
        if between.count(both) > 1:
            raise InputError(
                f"bulk_modulus must be wanted once between {one} and {two}, got it twice"
            )


def _build(table: BulkModulusTable, settings: Mapping[str, Setting]) -> BulkModulus:
    names = table.conditions
    one, two = (settings[name] for name in names)
    where = f"bulk_modulus between {names[0]} and {names[1]}"
    if _shares(one.system) != _shares(two.system):
        _unlike(where, "formula", one.system.formula, two.system.formula)
    if one.protocol.temperature != two.protocol.temperature:
        temperatures = (f"{s.protocol.temperature:g} K" for s in (one, two))
        _unlike(where, "temperature", *temperatures)
    if one.protocol.ensemble != two.protocol.ensemble:
        _unlike(where, "ensemble", one.protocol.ensemble, two.protocol.ensemble)
    barostat = one.protocol.ensemble == "npt"
    fixed = [s.protocol.pressure if barostat else s.system.density for s in (one, two)]
    what, unit = ("pressures", "bar") if barostat else ("densities", "g/cm³")
    if fixed[0] == fixed[1]:
        raise InputError(f"{where} needs two {what}, got {fixed[0]:g} {unit} in both")
    wanted = table.value_gpa * BAR_PER_GPA
    enough = PART * wanted if table.per_percent_gpa is None else table.per_percent_gpa * BAR_PER_GPA
    averages = (watched(one), watched(two))
    return BulkModulus((names[0], names[1]), wanted, enough, (fixed[0], fixed[1]), averages)


def _shares(system: System) -> dict[str, Fraction]:
    """Return the share of each species in the atoms."""
    atoms = sum(system.composition.values())
    return {name: Fraction(n, atoms) for name, n in system.composition.items()}


def _unlike(where: str, what: str, one: str, two: str) -> NoReturn:
    raise InputError(f"{where} needs the same {what} in both, got {one} and {two}")
