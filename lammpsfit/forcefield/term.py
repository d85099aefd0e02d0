"""A term of a pair: a form with the values of its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

from lammpsfit.errors import InputError
from lammpsfit.forcefield.forms.base import Array, Form
from lammpsfit.forcefield.limits import LARGEST
from lammpsfit.inputs import quoted
from lammpsfit.suggest import suggestion


@dataclass(frozen=True)
class Term:
    """A pair form with the values of its parameters."""

    form: Form
    values: Mapping[str, float]

    def energy(self, r: Array) -> Array:
        """Return its energy in eV at distances in Å, of any shape."""
        return self.form.energy(r, self.values)

    def slope(self, r: Array) -> Array:
        """Return its derivative in r in eV/Å, likewise."""
        return self.form.slope(r, self.values)

    def parameter_gradient(self, r: Array) -> Array:
        """Return its derivatives in the parameters of the form, one a row."""
        return self.form.parameter_gradient(r, self.values)

    def slope_gradient(self, r: Array) -> Array:
        """Return the derivatives in r of :meth:`parameter_gradient`."""
        return self.form.slope_gradient(r, self.values)


def check_terms(pair: str, terms: tuple[Term, ...]) -> None:
    """Raise :class:`InputError` unless the terms of a pair have sensible values and own names."""
    seen: set[str] = set()
    for term in terms:
        form, values = term.form, term.values
        for given in values:
            if given not in form.parameter_names:
                raise InputError(
                    f"{form.name} of pair {pair} has no parameter {quoted(given)}: "
                    f"{suggestion(given, form.parameter_names)}"
                )
        for parameter in form.parameters:
            name = f"{parameter.name}_{pair}"
            if parameter.name not in values:
                raise InputError(f"{form.name} of pair {pair} needs {parameter.name}, got none")
            if name in seen:
                raise InputError(f"pair {pair} has two terms with a parameter {parameter.name}")
            seen.add(name)
            value = values[parameter.name]
            if not abs(value) <= LARGEST:
                raise InputError(
                    f"{name} must be a finite number up to {LARGEST:g}, got {quoted(value)}"
                )
            if not parameter.allows(value):
                raise InputError(f"{name} must be {parameter.sign}, got {quoted(value)}")
        if (why := form.refused(values)) is not None:
            raise InputError(f"{form.name} of pair {pair}: {why}")
