"""What a pair form is: a function of the distance with named parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = Mapping[str, float]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pair form.

    Attributes
    ----------
    name
        Symbol in the formula, for instance ``"rho"``.
    unit
        Its unit, in eV and Å.
    sign
        The values that make sense: any, zero or positive, positive.
    """

    name: str
    unit: str
    sign: Literal["any", "zero or positive", "positive"] = "any"

    def allows(self, value: float) -> bool:
        """Whether `value` has the sign that the parameter must have."""
        if self.sign == "positive":
            return value > 0.0
        return self.sign == "any" or value >= 0.0


@dataclass(frozen=True)
class LammpsStyle:
    """The LAMMPS pair style that computes a form by itself.

    Attributes
    ----------
    style
        Name of the style; its one argument is the cutoff.
    coefficients
        Parameters of the form in the order of ``pair_coeff``; with a ``-`` in front where LAMMPS
        has the other sign.
    """

    style: str
    coefficients: tuple[str, ...]

    def numbers(self, values: Values) -> tuple[float, ...]:
        """Return the coefficients for the values of the form's parameters."""
        return tuple(
            -float(values[name[1:]]) if name.startswith("-") else float(values[name])
            for name in self.coefficients
        )


def _nothing(values: Values) -> str | None:
    """Refuse nothing."""
    return None


@dataclass(frozen=True)
class Form:
    """A pair form U(r; parameters) with its exact derivatives; its name and knots tell which.

    Attributes
    ----------
    name
        Its name in potential files.
    formula
        The formula, for people.
    parameters
        Parameters in the order of the rows of `parameter_gradient`.
    energy
        U in eV from distances in Å (any shape, all > 0) and parameter values.
    slope
        dU/dr in eV/Å, likewise.
    parameter_gradient
        dU/dparameter, shape (number of parameters, ...) where ... is the shape of r.
    slope_gradient
        d²U/(dr dparameter), likewise: what forces answer to a change of the parameters.
    core
        True for a term that only keeps atoms apart at distances no structure
        reaches: the guard never counts it as the wall that holds a structure.
    lammps
        The LAMMPS style that has this formula, or None where it must be tabulated.
    refused
        Says why values make no sense together, each of them being allowed; None if they do.
    knots
        Distances in Å that a form with a coefficient for each interval is made on; none for others.
    on_knots
        Makes such a form on other knots; None for others.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    energy: Callable[[Array, Values], Array] = field(compare=False)
    slope: Callable[[Array, Values], Array] = field(compare=False)
    parameter_gradient: Callable[[Array, Values], Array] = field(compare=False)
    slope_gradient: Callable[[Array, Values], Array] = field(compare=False)
    core: bool = False
    lammps: LammpsStyle | None = None
    refused: Callable[[Values], str | None] = _nothing
    knots: tuple[float, ...] = ()
    on_knots: "Callable[[Sequence[float]], Form] | None" = None

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)
