"""The properties of an fcc metal: the front door of :mod:`lammpsfit.gap.work.crystal`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from lammpsfit.suggest import suggestion

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

OF_BULK: Final = ("a0", "B")
"""What all others need."""

CELLS: Final = (2, 10)
"""Cubic cells along each axis of a crystal with a vacancy."""

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

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any]) -> Property:
        """Read what :meth:`as_dict` gave."""
        if data["unit"] != UNITS[name]:
            raise ValueError(f"{name} is in {UNITS[name]}, not in {data['unit']}")
        value, error = (
            None if data[key] is None else float(data[key]) for key in ("value", "error")
        )
        return cls(name, UNITS[name], value, error, str(data["reason"]))


def properties_of(content: Mapping[str, Any]) -> dict[str, Property]:
    """Read the properties that a ``properties.json`` has, by their names."""
    return {name: Property.from_dict(name, one) for name, one in content["properties"].items()}


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


def chosen(only: Sequence[str]) -> tuple[str, ...]:
    """Return the properties that are asked for, in their order: all of them if none is named.

    Raises
    ------
    InputError
        If one is not known.

    Examples
    --------
    >>> chosen(["vacancy"])
    ('a0', 'B', 'vacancy')
    """
    if unknown := [name for name in only if name not in UNITS]:
        name = unknown[0]
        raise InputError(f"there is no property {quoted(name)}: {suggestion(name, UNITS)}")
    return tuple(name for name in UNITS if not only or name in (*OF_BULK, *only))


def check_cells(cells: int) -> None:
    """Refuse a crystal with a vacancy that is too small or too large.

    Raises
    ------
    InputError
        Naming the bounds.
    """
    if not CELLS[0] <= cells <= CELLS[1]:
        raise InputError(
            f"there must be {CELLS[0]} to {CELLS[1]} cells along each axis about a vacancy, got "
            f"{cells}"
        )


def measure(
    calculator: BaseCalculator,
    symbol: str,
    covariance: Covariance | None = None,
    only: Sequence[str] = (),
    cells: int = 3,
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
    only
        Names of :data:`UNITS`; the lattice constant and the bulk modulus are always among them.
        None: all.
    cells
        Cubic cells along each axis of the crystal with a vacancy.

    Raises
    ------
    InputError
        If the element is not fcc, a property is not known, or there are too few or many cells.
    RunError
        If it has no fcc crystal.
    """
    wanted = chosen(only)
    check_cells(cells)
    kinds = crystals(symbol, first_length(symbol))
    found = equation_of_state(calculator, kinds["fcc"])
    at = found.values
    edge = first_length(symbol)
    yield from _told(found, covariance, lambda v: {"a0": edge * v["length"], "B": v["modulus"]})
    a0, B = edge * at["length"], at["modulus"]
    for names, make in _probes(calculator, symbol, a0, B, found, cells).items():
        if shown := [name for name in names if name in wanted]:
            told = {one.name: one for one in _tried(make, names, covariance)}
            yield from (told[name] for name in shown)


def _probes(
    calculator: BaseCalculator, symbol: str, a0: float, B: float, found: Probe, cells: int
) -> dict[tuple[str, ...], Callable[[], Probe]]:
    """Return what makes the probe of each property but those of the bulk."""
    all_of = crystals(symbol, a0)
    fcc = all_of["fcc"]
    above: dict[tuple[str, ...], Callable[[], Probe]] = {
        (kind,): partial(_above, calculator, all_of[kind], found, kind) for kind in ("bcc", "hcp")
    }
    surfaces: dict[tuple[str, ...], Callable[[], Probe]] = {
        (f"surface_{face}",): partial(surface, calculator, fcc, a0, face) for face in FACES
    }
    return {
        ("C11", "C12", "C44"): partial(elastic_constants, calculator, fcc, B),
        **above,
        ("vacancy",): partial(vacancy, calculator, symbol, a0, cells),
        **surfaces,
    }


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
