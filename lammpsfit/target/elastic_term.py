"""Elastic constants of a crystal as a term: exact, without a run.

With S the stress, F the forces, x the places of the atoms and η the strain,

    C = dS/dη - V Λ H⁺ Λᵀ,    Λ = dS/dx,    H = -dF/dx:

the first part is that of atoms that move with the cell, the second what they give way by (Born and
Huang, Dynamical Theory of Crystal Lattices, 1954, section 11). H⁺ is the inverse without
translations. The three derivatives are central differences of stresses and forces of images of the
crystal, strained or with one atom moved, which are linear in u'(r); so

    dC = d(dS/dη) - V (dΛ H⁺ Λᵀ + Λ H⁺ dΛᵀ) + V Λ H⁺ dH H⁺ Λᵀ

follows from the derivatives of these in the parameters. All is taken at the places of the file, and
means elastic constants there only as far as forces on the atoms vanish: fit to them, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.labelled.frame import Frame
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.stiffness import STRAIN
from lammpsfit.target.label_terms import LabelledFrames, neutral_in
from lammpsfit.target.pair_sums import VOIGT
from lammpsfit.target.static_term import RmsTerm
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, BAR_PER_GPA

STEP: Final = 5e-3
"""Å that an atom is moved by to either side."""

MOST_ATOMS: Final = 100
"""Atoms in a cell: there are six images of the cell for each."""

GPA: Final = BAR_PER_EV_PER_CUBIC_ANGSTROM / BAR_PER_GPA
"""GPa of one eV/Å^3."""


@dataclass(frozen=True, eq=False)
class ElasticTerm(RmsTerm):
    """Elastic constants of a crystal at rest at 0 K.

    Attributes
    ----------
    title
        What the crystal is called.
    crystal
        The crystal, x along a, z at right angles to a and b.
    wanted
        Elastic constants in GPa, by name: C11 to C66, where 1 to 6 are xx, yy, zz, yz, xz, xy.
    per_percent
        Root-mean-square error in GPa that counts as much as R = 1 %.
    """

    title: str
    crystal: Frame
    wanted: Mapping[str, float]
    per_percent: float
    shown: ClassVar = ("GPa", 1.0, 1)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with that of the crystal."""
        return f"elastic {self.title}"

    @property
    def of(self) -> str:  # type: ignore[override]
        """The constants."""
        return f" over {', '.join(self.wanted)}"

    def check(self, potential: Potential) -> None:
        """Refuse a potential that has no forces on these atoms."""
        self._images.check(potential)

    def residuals(self, potential: Potential) -> FloatArray:
        """Return the residuals, shape (K,)."""
        return self._scaled(self.stiffness(potential)[self._places] - self._wanted)

    def jacobian(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return their derivatives at the point `u`, shape (K, d)."""
        response = self._parts(space.potential(u)).response
        slopes = [
            _slope_of(response, slope, self.crystal.volume) for slope in self._slopes(space, u)
        ]
        return self._scaled(GPA * np.stack(slopes, axis=-1)[self._places])

    def stiffness(self, potential: Potential) -> FloatArray:
        """Return the elastic constants in GPa, symmetrised, shape (6, 6)."""
        return GPA * _stiffness_of(self._parts(potential), self.crystal.volume)

    @property
    def _wanted(self) -> FloatArray:
        return np.array(list(self.wanted.values()))

    @property
    def _places(self) -> tuple[list[int], list[int]]:
        """Rows and columns of what is wanted."""
        rows, columns = ([int(name[k]) - 1 for name in self.wanted] for k in (1, 2))
        return rows, columns

    @cached_property
    def _images(self) -> LabelledFrames:
        """The crystal strained, six ways to either side, then with each coordinate moved."""
        frame, images = self.crystal, []
        for k in range(6):
            for sign in (1.0, -1.0):
                strained = np.eye(3) + sign * STRAIN * _tensor(k)
                images.append(
                    replace(frame, positions=frame.positions @ strained, cell=frame.cell @ strained)
                )
        for k in range(3 * len(frame)):
            for sign in (1.0, -1.0):
                moved = np.array(frame.positions)
                moved.flat[k] += sign * STEP
                images.append(replace(frame, positions=moved))
        return LabelledFrames(self.title, tuple(images))

    def __getstate__(self) -> dict[str, object]:
        """Leave the images out: a worker makes them sooner than they travel."""
        return {key: value for key, value in self.__dict__.items() if key != "_images"}

    def _parts(self, potential: Potential) -> _Parts:
        ((composition, sums),) = self._images.sums(potential.outer_cutoff)
        neutral = neutral_in(potential, composition)
        return self._differences(sums.stresses(neutral), sums.forces(neutral))

    def _slopes(self, space: ParameterSpace, u: FloatArray) -> Sequence[_Parts]:
        """Return the derivatives of :meth:`_parts`, one for each parameter."""
        ((composition, sums),) = self._images.sums(space.base.outer_cutoff)
        under = space.under(composition)
        stresses, forces = sums.stresses_gradient(under, u), sums.forces_gradient(under, u)
        return [
            self._differences(stress, force)
            for stress, force in zip(stresses.T, forces.T, strict=True)
        ]

    def _differences(self, stresses: FloatArray, forces: FloatArray) -> _Parts:
        """Take differences of the stresses and forces of all images."""
        S = stresses.reshape(-1, 6)
        F = forces.reshape(len(S), -1)
        strained = (S[0:12:2] - S[1:12:2]) / (2.0 * STRAIN)
        moved = (S[12::2] - S[13::2]) / (2.0 * STEP)
        H = -(F[12::2] - F[13::2]) / (2.0 * STEP)
        return _Parts((strained + strained.T) / 2.0, moved.T, (H + H.T) / 2.0)


@dataclass(frozen=True)
class _Parts:
    """dS/dη, shape (6, 6), dS/dx, shape (6, 3 n), and -dF/dx, shape (3 n, 3 n)."""

    clamped: FloatArray
    coupling: FloatArray
    hessian: FloatArray

    @property
    def response(self) -> FloatArray:
        """H⁺ Λᵀ, shape (3 n, 6)."""
        found: FloatArray = _inverse(self.hessian) @ self.coupling.T
        return found


def _stiffness_of(parts: _Parts, volume: float) -> FloatArray:
    C: FloatArray = parts.clamped - volume * parts.coupling @ parts.response
    return C


def _slope_of(response: FloatArray, slope: _Parts, volume: float) -> FloatArray:
    """Return the derivative of :func:`_stiffness_of` along one of the parts, at their response."""
    mixed = slope.coupling @ response
    dC: FloatArray = slope.clamped - volume * (
        mixed + mixed.T - response.T @ slope.hessian @ response
    )
    return dC


def _inverse(hessian: FloatArray) -> FloatArray:
    """Return the inverse on what is no translation of all atoms, shape (3 n, 3 n)."""
    n = len(hessian) // 3
    together = np.kron(np.full((n, n), 1.0 / n), np.eye(3))
    # translations get a stiffness like that of the rest, and are taken out again
    inverse = np.linalg.pinv(_without(hessian, together) + together) - together
    return np.asarray(inverse, dtype=np.float64)


def _without(hessian: FloatArray, together: FloatArray) -> FloatArray:
    """Make the sum of each row zero, which differences leave a little off it."""
    others = np.eye(len(hessian)) - together
    rest: FloatArray = others @ hessian @ others
    return rest


def _tensor(k: int) -> FloatArray:
    """Return the tensor of a unit strain, of which shears count twice."""
    i, j = VOIGT[k]
    tensor = np.zeros((3, 3))
    tensor[i, j] += 0.5
    tensor[j, i] += 0.5
    return tensor


def elastic_term(
    title: str,
    crystal: Frame,
    wanted: Mapping[str, float],
    per_percent: float,
    potential: Potential,
) -> ElasticTerm:
    """Make the term of a crystal, turned so that x is along a and z at right angles to a and b.

    Raises
    ------
    InputError
        If it has too many atoms, or the potential has no forces on them.
    """
    if len(crystal) > MOST_ATOMS:
        raise InputError(
            f"{crystal.label}: has {len(crystal)} atoms, and elastic takes at most {MOST_ATOMS}: "
            "give its unit cell"
        )
    cell = np.asarray(np.linalg.cholesky(crystal.cell @ crystal.cell.T), dtype=np.float64)
    positions = crystal.positions @ np.linalg.solve(crystal.cell, cell)
    turned = replace(crystal, positions=positions, cell=cell, forces=None, stress=None)
    term = ElasticTerm(title, turned, wanted, per_percent)
    term.check(potential)
    return term
