"""Terms of labelled configurations: their forces, stresses and differences of energies.

Each has the residuals

    y_k = 0.01 (A_k - w_k) / (per_percent √K)

with what the potential gives A and what the labels say w, so that a root-mean-square error of
`per_percent` counts as much as R = 1 %. Energies are compared per atom, and only their differences:
a constant for each species, the best there is, is taken off. Labels of another code have other
zeros of energy, and a pair potential knows nothing of those.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.labelled.frame import Frame
from lammpsfit.md.histogram import FloatArray
from lammpsfit.target.pair_sums import PairSums
from lammpsfit.target.static_term import RmsTerm
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, BAR_PER_GPA

Composition = tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Labelled configurations, and the sums over their pairs that were made so far.

    Attributes
    ----------
    name
        What they are called.
    frames
        In the order that residuals have: those of one composition follow each other.
    """

    name: str
    frames: tuple[Frame, ...]
    _sums: dict[tuple[Composition, float], PairSums] = field(
        default_factory=dict, init=False, repr=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the sums out: a worker makes them sooner than they travel."""
        return self.__dict__ | {"_sums": {}}

    @cached_property
    def groups(self) -> dict[Composition, tuple[Frame, ...]]:
        """The frames by their composition."""
        found: dict[Composition, list[Frame]] = {}
        for frame in self.frames:
            found.setdefault(composition_of(frame), []).append(frame)
        return {composition: tuple(frames) for composition, frames in found.items()}

    @property
    def ordered(self) -> tuple[Frame, ...]:
        """The frames in the order of residuals."""
        return tuple(frame for frames in self.groups.values() for frame in frames)

    def sums(self, cutoff: float) -> Iterator[tuple[dict[str, int], PairSums]]:
        """Yield each composition with its sums, for potentials of this cutoff in Å."""
        for composition, frames in self.groups.items():
            key = (composition, cutoff)
            if key not in self._sums:
                self._sums[key] = PairSums(frames, cutoff)
            yield dict(composition), self._sums[key]

    def check(self, potential: Potential) -> None:
        """Refuse a potential that has no forces on these atoms.

        Raises
        ------
        InputError
            If it lacks a species, its Coulomb sum is none over pairs, or a composition is charged.
        """
        if potential.coulomb and not potential.coulomb.pairwise:
            raise InputError(
                f"{self.name}: forces and stresses need a Coulomb sum over pairs, such as dsf or "
                f"wolf, but {potential.name} has {potential.coulomb.style}"
            )
        for composition, frames in self.groups.items():
            for species, _ in composition:
                if species not in potential.species:
                    raise InputError(
                        f"{frames[0].label}: has {species}, but the potential here is one of "
                        f"{', '.join(potential.species)}: leave such frames out"
                    )
            counts = dict(composition)
            neutral_in(potential, counts).check_neutral(
                counts,
                f"leave {frames[0].label} out, or let a charge follow from each composition "
                "([charges] per_composition = true)",
            )


def composition_of(frame: Frame) -> Composition:
    """Return the numbers of atoms by species, in the order of the alphabet."""
    names, counts = np.unique(frame.symbols, return_counts=True)
    return tuple((str(name), int(n)) for name, n in zip(names, counts, strict=True))


def neutral_in(potential: Potential, composition: Mapping[str, int]) -> Potential:
    """Return a potential with the charges that it has in a composition."""
    balance = potential.balance
    if balance is None or balance not in composition:
        return potential
    return potential.balanced(balance, composition)


@dataclass(frozen=True, eq=False)
class LabelTerm(RmsTerm):
    """One kind of label of some configurations.

    Attributes
    ----------
    labelled
        The configurations.
    per_percent
        Root-mean-square error that counts as much as R = 1 %.
    """

    labelled: LabelledFrames
    per_percent: float
    kind: ClassVar[str]
    """What is compared, for names and heads of columns."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with that of the configurations."""
        return f"{self.kind} {self.labelled.name}"

    def check(self, potential: Potential) -> None:
        """Refuse a potential that has no forces on these atoms."""
        self.labelled.check(potential)

    def residuals(self, potential: Potential) -> FloatArray:
        """Return the residuals, shape (K,)."""
        parts = [
            self._reached(sums, neutral_in(potential, composition))
            for composition, sums in self.labelled.sums(potential.outer_cutoff)
        ]
        return self._scaled(np.concatenate(parts) - self._wanted)

    def jacobian(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return their derivatives at the point `u`, shape (K, d)."""
        parts = [
            self._slopes(sums, space.under(composition), u)
            for composition, sums in self.labelled.sums(space.base.outer_cutoff)
        ]
        return self._scaled(np.concatenate(parts))

    @abstractmethod
    def _reached(self, sums: PairSums, potential: Potential) -> FloatArray:
        """Return what a potential gives the configurations of one composition."""

    @abstractmethod
    def _slopes(self, sums: PairSums, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return the derivatives of :meth:`_reached`, one column for each parameter."""


@dataclass(frozen=True, eq=False)
class ForceTerm(LabelTerm):
    """The forces on all atoms; `per_percent` in eV/Å."""

    kind = "forces"
    shown = ("eV/Å", 1.0, 3)

    @cached_property
    def _wanted(self) -> FloatArray:
        return np.concatenate([_known(f, "forces").ravel() for f in self.labelled.ordered])

    def _reached(self, sums: PairSums, potential: Potential) -> FloatArray:
        return sums.forces(potential)

    def _slopes(self, sums: PairSums, space: ParameterSpace, u: FloatArray) -> FloatArray:
        return sums.forces_gradient(space, u)


@dataclass(frozen=True, eq=False)
class StressTerm(LabelTerm):
    """The six components of the stress; `per_percent` in bar."""

    kind = "stress"
    shown = ("GPa", 1.0 / BAR_PER_GPA, 2)

    @cached_property
    def _wanted(self) -> FloatArray:
        labels = [_known(f, "stress") for f in self.labelled.ordered]
        return np.concatenate(labels) * BAR_PER_EV_PER_CUBIC_ANGSTROM

    def _reached(self, sums: PairSums, potential: Potential) -> FloatArray:
        return sums.stresses(potential) * BAR_PER_EV_PER_CUBIC_ANGSTROM

    def _slopes(self, sums: PairSums, space: ParameterSpace, u: FloatArray) -> FloatArray:
        return sums.stresses_gradient(space, u) * BAR_PER_EV_PER_CUBIC_ANGSTROM


@dataclass(frozen=True, eq=False)
class EnergyTerm(LabelTerm):
    """Differences of energies per atom; `per_percent` in eV/atom."""

    kind = "energy"
    shown = ("meV/atom", 1000.0, 1)

    @cached_property
    def _wanted(self) -> FloatArray:
        return np.array([_known(f, "energy") for f in self.labelled.ordered])

    @cached_property
    def _atoms(self) -> FloatArray:
        return np.array([float(len(frame)) for frame in self.labelled.ordered])

    @cached_property
    def _constants(self) -> FloatArray:
        """Orthonormal columns that span the constants of the species, shape (F, rank)."""
        symbols = sorted({name for c in self.labelled.groups for name, _ in c})
        shares = np.array(
            [
                [dict(composition_of(frame)).get(name, 0) / len(frame) for name in symbols]
                for frame in self.labelled.ordered
            ]
        )
        U, s, _ = np.linalg.svd(shares, full_matrices=False)
        return U[:, s > 1e-8 * s[0]]

    @property
    def differences(self) -> int:
        """How many independent differences there are."""
        return len(self._atoms) - int(self._constants.shape[1])

    def _scaled(self, errors: FloatArray) -> FloatArray:
        """Make residuals of errors in eV: per atom, constants taken off."""
        C, per_atom = self._constants, (errors.T / self._atoms).T
        left = per_atom - C @ (C.T @ per_atom)
        scaled: FloatArray = left * (0.01 / self.per_percent / np.sqrt(self.differences))
        return scaled

    def _reached(self, sums: PairSums, potential: Potential) -> FloatArray:
        return sums.energies(potential)

    def _slopes(self, sums: PairSums, space: ParameterSpace, u: FloatArray) -> FloatArray:
        return sums.energies_gradient(space, u)


def _known(frame: Frame, label: str) -> Any:
    """Return a label of a frame.

    Raises
    ------
    InputError
        If it has none.
    """
    value = getattr(frame, label)
    if value is None:
        raise InputError(
            f"{frame.label}: has no {label} to fit to, only {' and '.join(frame.labels) or 'atoms'}"
        )
    return value


KINDS: Final[Mapping[str, type[LabelTerm]]] = {
    kind.kind: kind for kind in (ForceTerm, StressTerm, EnergyTerm)
}
"""The terms by what they compare."""


def label_terms(
    labelled: LabelledFrames, per_percent: Mapping[str, float], potential: Potential
) -> Iterator[LabelTerm]:
    """Make the terms of some configurations.

    Parameters
    ----------
    labelled
        The configurations.
    per_percent
        What is compared, with the error that counts as much as R = 1 %.
    potential
        One that must have forces on them.

    Raises
    ------
    InputError
        If it has none, or a label is missing.
    """
    labelled.check(potential)
    for kind, enough in per_percent.items():
        for frame in labelled.frames:
            _known(frame, kind)
        term = KINDS[kind](labelled, enough)
        if isinstance(term, EnergyTerm) and term.differences < 1:
            raise InputError(
                f"{labelled.name}: energies count as differences only, and {len(labelled.frames)} "
                "frames of these compositions have none: add frames, or leave energy out"
            )
        yield term
