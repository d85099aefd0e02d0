"""How a crystal answers to strain and to moved atoms, at the places of a file, without a run.

With S the stress, F the forces, x the places of the atoms and η the strain, the second derivatives

    dS/dη,    Λ = dS/dx,    H = -dF/dx

are central differences of stresses and forces of images of the crystal, strained or with one atom
moved. What follows from them (Born and Huang, Dynamical Theory of Crystal Lattices, 1954,
section 11), H⁺ being the inverse without translations and V the volume:

    C = dS/dη - V Λ H⁺ Λᵀ                        elastic constants, atoms giving way
    ε = -C⁻¹ (S + Λ H⁺ F)                        the strain to a cell at rest
    x = H⁺ F - V H⁺ Λᵀ ε                         what atoms move by beside it

The last two are one step of Newton's method. All is linear in u'(r), so that derivatives in the
parameters follow from those of S, F and the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.labelled.frame import Frame
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.stiffness import STRAIN
from lammpsfit.target.label_terms import LabelledFrames, neutral_in
from lammpsfit.target.pair_sums import VOIGT

STEP: Final = 5e-3
"""Å that an atom is moved by to either side."""

MOST_ATOMS: Final = 100
"""Atoms in a cell: there are six images of the cell for each."""


@dataclass(eq=False)
class CrystalResponse:
    """A crystal, x along a and z at right angles to a and b, and its images.

    The last answers are kept: all terms of a crystal ask for the same, one after the other.
    """

    crystal: Frame
    _there: tuple[Potential, Response] | None = field(default=None, init=False, repr=False)
    _linear: tuple[ParameterSpace, FloatArray, Response, Sequence[Response]] | None = field(
        default=None, init=False, repr=False
    )

    @classmethod
    def of(cls, crystal: Frame) -> CrystalResponse:
        """Turn a crystal so that x is along a and z at right angles to a and b.

        Raises
        ------
        InputError
            If it has too many atoms.
        """
        if len(crystal) > MOST_ATOMS:
            raise InputError(
                f"{crystal.label}: has {len(crystal)} atoms, and elastic, cell and places take at "
                f"most {MOST_ATOMS}: give its unit cell"
            )
        cell = np.asarray(np.linalg.cholesky(crystal.cell @ crystal.cell.T), dtype=np.float64)
        positions = crystal.positions @ np.linalg.solve(crystal.cell, cell)
        return cls(replace(crystal, positions=positions, cell=cell, forces=None, stress=None))

    @cached_property
    def images(self) -> LabelledFrames:
        """The crystal, then strained, six ways to either side, then with each coordinate moved."""
        frame = self.crystal
        images = [frame]
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
        return LabelledFrames(frame.label, tuple(images))

    def __getstate__(self) -> dict[str, object]:
        """Leave all else out: a worker makes it sooner than it travels."""
        return {"crystal": self.crystal}

    def at(self, potential: Potential) -> Response:
        """Return the response with a potential."""
        if self._there is None or self._there[0] is not potential:
            self._there = potential, self._at(potential)
        return self._there[1]

    def linear(self, space: ParameterSpace, u: FloatArray) -> tuple[Response, Sequence[Response]]:
        """Return the response at the point `u`, and its derivatives, one for each parameter."""
        known = self._linear
        if known is None or known[0] is not space or not np.array_equal(known[1], u):
            known = space, np.array(u), self._at(space.potential(u)), self._slopes(space, u)
            self._linear = known
        return known[2:]

    def _at(self, potential: Potential) -> Response:
        ((composition, sums),) = self.images.sums(potential.outer_cutoff)
        neutral = neutral_in(potential, composition)
        return self._differences(sums.stresses(neutral), sums.forces(neutral))

    def _slopes(self, space: ParameterSpace, u: FloatArray) -> Sequence[Response]:
        ((composition, sums),) = self.images.sums(space.base.outer_cutoff)
        under = space.under(composition)
        stresses, forces = sums.stresses_gradient(under, u), sums.forces_gradient(under, u)
        return [
            self._differences(stress, force)
            for stress, force in zip(stresses.T, forces.T, strict=True)
        ]

    def _differences(self, stresses: FloatArray, forces: FloatArray) -> Response:
        """Take differences of the stresses and forces of all images."""
        S = stresses.reshape(-1, 6)
        F = forces.reshape(len(S), -1)
        strained = (S[1:13:2] - S[2:13:2]) / (2.0 * STRAIN)
        moved = (S[13::2] - S[14::2]) / (2.0 * STEP)
        H = -(F[13::2] - F[14::2]) / (2.0 * STEP)
        return Response(
            self.crystal.volume, S[0], F[0], (strained + strained.T) / 2.0, moved.T, (H + H.T) / 2.0
        )


@dataclass(frozen=True)
class Response:
    """Stress and forces of a crystal of n atoms, and their derivatives; or slopes of all these.

    Attributes
    ----------
    volume
        V, Å³.
    stress, forces
        S in eV/Å³, shape (6,), as ASE has it, and F in eV/Å, shape (3 n,).
    clamped, coupling, hessian
        dS/dη, shape (6, 6), Λ = dS/dx, shape (6, 3 n), and H = -dF/dx, shape (3 n, 3 n).
    """

    volume: float
    stress: FloatArray
    forces: FloatArray
    clamped: FloatArray
    coupling: FloatArray
    hessian: FloatArray

    @cached_property
    def inverse(self) -> FloatArray:
        """H⁺, shape (3 n, 3 n); nan where H is not finite."""
        if not np.all(np.isfinite(self.hessian)):
            return np.full_like(self.hessian, np.nan)
        n = len(self.hessian) // 3
        together = np.kron(np.full((n, n), 1.0 / n), np.eye(3))
        # translations get a stiffness like that of the rest, and are taken out again
        inverse = np.linalg.pinv(_without(self.hessian, together) + together) - together
        return np.asarray(inverse, dtype=np.float64)

    @cached_property
    def given_way(self) -> FloatArray:
        """H⁺ Λᵀ, shape (3 n, 6)."""
        found: FloatArray = self.inverse @ self.coupling.T
        return found

    @cached_property
    def settled(self) -> FloatArray:
        """H⁺ F, shape (3 n,)."""
        found: FloatArray = self.inverse @ self.forces
        return found

    @cached_property
    def stiffness(self) -> FloatArray:
        """C in eV/Å³, shape (6, 6)."""
        C: FloatArray = self.clamped - self.volume * self.coupling @ self.given_way
        return C

    @cached_property
    def strain(self) -> FloatArray:
        """ε, shape (6,), shears counting twice."""
        left = self.stress + self.coupling @ self.settled
        return self._strained(-left)

    @property
    def moves(self) -> FloatArray:
        """The moves x in Å, shape (3 n,)."""
        found: FloatArray = self.settled - self.volume * self.given_way @ self.strain
        return found

    def stiffness_slope(self, slope: Response) -> FloatArray:
        """Return the derivative of C along a slope, shape (6, 6)."""
        mixed = slope.coupling @ self.given_way
        dC: FloatArray = slope.clamped - self.volume * (
            mixed + mixed.T - self.given_way.T @ slope.hessian @ self.given_way
        )
        return dC

    def strain_slope(self, slope: Response) -> FloatArray:
        """Return the derivative of ε along a slope, shape (6,)."""
        left = (
            slope.stress
            + slope.coupling @ self.settled
            + self.coupling @ self._settled_slope(slope)
            + self.stiffness_slope(slope) @ self.strain
        )
        return self._strained(-left)

    def moves_slope(self, slope: Response) -> FloatArray:
        """Return the derivative of x along a slope, shape (3 n,)."""
        way = self.inverse @ (slope.coupling.T - slope.hessian @ self.given_way)
        found: FloatArray = self._settled_slope(slope) - self.volume * (
            way @ self.strain + self.given_way @ self.strain_slope(slope)
        )
        return found

    def _strained(self, stress: FloatArray) -> FloatArray:
        """Return the strain that makes a stress; nan where nothing resists."""
        try:
            return np.asarray(np.linalg.solve(self.stiffness, stress), dtype=np.float64)
        except np.linalg.LinAlgError:
            return np.full_like(stress, np.nan)

    def _settled_slope(self, slope: Response) -> FloatArray:
        found: FloatArray = self.inverse @ (slope.forces - slope.hessian @ self.settled)
        return found


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
