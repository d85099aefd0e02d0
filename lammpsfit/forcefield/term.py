"""A term of a pair: a form with the values of its parameters."""

from collections.abc import Mapping, Sequence
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


def term_on_knots(
    form: Form, pair: str, knots: Sequence[float], coefficients: Sequence[float] | None = None
) -> Term:
    """Return a term of a form on knots, distances in Å; without `coefficients` it is 0 everywhere.

    Raises
    ------
    InputError
        If the form has no knots, these are not right, or there are not as many coefficients as
        intervals.
    """
    try:
        if form.on_knots is None:
            raise InputError("it has no knots")
        made = form.on_knots(knots)
    except InputError as error:
        raise InputError(f"{form.name} of pair {pair}: {error}") from None
    names = made.parameter_names
    values = [0.0] * len(names) if coefficients is None else coefficients
    if len(values) != len(names):
        raise InputError(
            f"{form.name} of pair {pair}: c must have {len(names)} numbers, one for each interval "
            f"between knots, got {len(values)}"
        )
    return Term(made, dict(zip(names, map(float, values), strict=True)))


def check_terms(pair: str, terms: tuple[Term, ...], cutoff: float) -> None:
    """Raise :class:`InputError` unless the terms of a pair have sensible values and own names.

    Knots must end within the `cutoff` of the terms in Å.
    """
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
        if (why := form.refused(values) or _beyond(form, cutoff)) is not None:
            raise InputError(f"{form.name} of pair {pair}: {why}")


def _beyond(form: Form, cutoff: float) -> str | None:
    """Say that knots reach beyond the cutoff of the terms, where they do."""
    if not form.knots or form.knots[-1] <= cutoff:
        return None
    return f"the last knot must be within the cutoff ({cutoff:g} Å), got {form.knots[-1]:g} Å"
