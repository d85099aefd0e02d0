"""The properties of an fcc metal: the front door of :mod:`lammpsfit.gap.work.crystal`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.data import atomic_numbers, reference_states
from numpy.typing import NDArray

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.work.crystal import (
    FACES,
    Probe,
    crystals,
    elastic_constants,
    equation_of_state,
    surface,
    vacancy,
)
from lammpsfit.inputs import quoted

FloatArray = NDArray[np.float64]
Covariance = Callable[[Sequence[Atoms]], FloatArray]

UNITS: Final = {
    "a0": "Å",
    "B": "GPa",
    "C11": "GPa",
    "C12": "GPa",
    "C44": "GPa",
    "bcc": "meV/atom",
    "hcp": "meV/atom",
    "vacancy": "eV",
    "surface_100": "J/m²",
    "surface_110": "J/m²",
    "surface_111": "J/m²",
}
"""Every property and its unit; bcc and hcp are energies above fcc."""

DRAWS: Final = 200
"""Sets of energies drawn for the errors of properties."""

SEED: Final = 1
"""Of these draws."""


@dataclass(frozen=True)
class Property:
    """A property.

    Attributes
    ----------
    name, unit : str
    value : float or None
        None where it was not found.
    error : float or None
        Standard error that the potential predicts; None where it predicts none.
    reason : str
        Why it was not found.
    """

    name: str
    unit: str
    value: float | None
    error: float | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "value": self.value,
            "error": self.error,
            "unit": self.unit,
            "reason": self.reason,
        }


def first_length(symbol: str) -> float:
    """Return the edge of the fcc cell of an element to begin the search at, Å.

    Raises
    ------
    InputError
        If the element is not fcc.
    """
    known = reference_states[atomic_numbers.get(symbol, 0)]
    if known is None or known["symmetry"] != "fcc":
        raise InputError(f"properties are those of fcc metals, and {quoted(symbol)} is none")
    return float(known["a"])


def measure(
    calculator: BaseCalculator, symbol: str, covariance: Covariance | None = None
) -> Iterator[Property]:
    """Yield the properties of an fcc metal, each as it is found.

    Parameters
    ----------
    calculator
        What knows energies and forces.
    symbol
        The element.
    covariance
        Gives the covariances of the energies of some configurations, shape (n, n), eV^2; then
        properties have errors.

    Raises
    ------
    InputError
        If the element is not fcc.
    RunError
        If it has no fcc crystal.
    """
    kinds = crystals(symbol, first_length(symbol))
    found = equation_of_state(calculator, kinds["fcc"])
    at = found.values
    edge = first_length(symbol)
    yield from _told(found, covariance, lambda v: {"a0": edge * v["length"], "B": v["modulus"]})
    a0, B = edge * at["length"], at["modulus"]
    fcc = crystals(symbol, a0)["fcc"]

    def elastic() -> Probe:
        return elastic_constants(calculator, fcc, B)

    yield from _tried(elastic, ("C11", "C12", "C44"), covariance)
    for kind in ("bcc", "hcp"):
        above = partial(_above, calculator, crystals(symbol, a0)[kind], found, kind)
        yield from _tried(above, (kind,), covariance)
    yield from _tried(lambda: vacancy(calculator, fcc), ("vacancy",), covariance)
    for face in FACES:
        one = partial(surface, calculator, fcc, a0, face)
        yield from _tried(one, (f"surface_{face}",), covariance)


def _above(calculator: BaseCalculator, other: Atoms, fcc: Probe, kind: str) -> Probe:
    """Return by how many meV per atom another crystal lies above fcc, each at its minimum."""
    found = equation_of_state(calculator, other)
    n = len(found.frames)

    def formula(E: FloatArray) -> dict[str, float]:
        above = found.formula(E[:n])["energy"] - fcc.formula(E[n:])["energy"]
        return {kind: 1e3 * above}

    energies = np.concatenate([found.energies, fcc.energies])
    return Probe((*found.frames, *fcc.frames), energies, formula)


def _tried(
    make: Callable[[], Probe], names: Sequence[str], covariance: Covariance | None
) -> Iterator[Property]:
    """Yield what a probe says, or why it says nothing: other properties may still be sound."""
    try:
        yield from _told(make(), covariance, lambda values: values)
    except RunError as error:
        for name in names:
            yield Property(name, UNITS[name], None, None, str(error))


def _told(
    probe: Probe,
    covariance: Covariance | None,
    named: Callable[[dict[str, float]], dict[str, float]],
) -> Iterator[Property]:
    values = named(probe.values)
    errors = {} if covariance is None else _errors(probe, covariance(probe.frames), named)
    lost = covariance is not None and not errors
    for name, value in values.items():
        reason = "not resolved: the errors the potential predicts are too large" if lost else ""
        yield Property(name, UNITS[name], value, errors.get(name), reason)


def _errors(
    probe: Probe,
    covariance: FloatArray,
    named: Callable[[dict[str, float]], dict[str, float]],
) -> dict[str, float]:
    """Return standard errors: the formula of energies drawn with their covariances."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rng = np.random.default_rng(SEED)
    drawn: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        energies = probe.energies + root @ rng.standard_normal(len(values))
        try:
            for name, value in named(probe.formula(energies)).items():
                drawn.setdefault(name, []).append(value)
        except RunError:  # these energies have no minimum: the error is unbounded
            return {}
    return {name: float(np.std(several)) for name, several in drawn.items()}
