"""What is wanted of a potential itself, without a run: forces on labelled atoms, for instance.

Its residuals y(θ) are a function of the parameters without noise, and so is their Jacobian. Their
squares are part of the same objective as those of runs. A sample keeps of them what a table needs,
the root of the sum of their squares; whoever needs the residuals computes them again.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.target.term import AnyTerm, Column


class StaticTerm(AnyTerm):
    """Something wanted of the potential itself. K is the number of its residuals."""

    @abstractmethod
    def residuals(self, potential: Potential) -> FloatArray:
        """Return the residuals y, shape (K,)."""

    @abstractmethod
    def jacobian(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return dy/du at the point `u` of the unit cube, shape (K, d)."""

    def check(self, potential: Potential) -> None:
        """Refuse a potential that this cannot be asked of.

        Raises
        ------
        InputError
            If it is such.
        """

    def per_block(self, sample: Sample) -> FloatArray:
        """Return the norm of y, once for each block of the run, shape (B, 1).

        Raises
        ------
        InputError
            If the run was made without this term.
        """
        return self.kept_of(sample)

    def kept(self, potential: Potential, blocks: int) -> FloatArray:
        """Return what a sample of so many blocks keeps of this term, shape (B, 1).

        Raises
        ------
        SimulationError
            If it is not finite.
        """
        size = float(np.linalg.norm(self.residuals(potential)))
        if not np.isfinite(size):
            raise SimulationError(Reason.NOT_A_NUMBER, f"in {self.name}")
        return np.full((blocks, 1), size)


class RmsTerm(StaticTerm):
    """Numbers that a potential gives, against those that are wanted: y = 0.01 (A - w)/(e √K).

    A root-mean-square error e, `per_percent`, counts as much as R = 1 %.
    """

    per_percent: float
    shown: ClassVar[tuple[str, float, int]]
    """Unit in tables, the factor to it, and digits after the point."""
    of: str = ""
    """What the error is taken over, for the explanation of its column."""

    @property
    @abstractmethod
    def _wanted(self) -> FloatArray:
        """What is wanted, shape (K,)."""

    @property
    def column(self) -> Column:
        """The root-mean-square error."""
        unit, factor, digits = self.shown
        return Column(
            self.name,
            self.name,
            unit,
            factor,
            digits,
            0.0,
            f"{self.name}: an rms error of {self.per_percent * factor:.3g} {unit}{self.of} counts "
            "as much as R = 1 %",
        )

    @property
    def gas(self) -> float:
        """Sum of its squared residuals where nothing acts."""
        y = self._scaled(-self._wanted)
        return float(y @ y)

    def value(self, sample: Sample) -> Estimate:
        """Return the root-mean-square error, which has no noise."""
        return Estimate(float(self.per_block(sample)[0, 0]) * 100.0 * self.per_percent, 0.0)

    def _scaled(self, errors: FloatArray) -> FloatArray:
        """Make residuals of errors, shape (K,) or (K, d)."""
        scaled: FloatArray = errors * (0.01 / self.per_percent / np.sqrt(len(errors)))
        return scaled


def residuals(terms: Sequence[StaticTerm], potential: Potential) -> FloatArray:
    """Return the residuals of several terms one after the other, shape (K,)."""
    return np.concatenate([term.residuals(potential) for term in terms])


def jacobian(terms: Sequence[StaticTerm], space: ParameterSpace, u: FloatArray) -> FloatArray:
    """Return their derivatives at the point `u`, shape (K, d)."""
    return np.concatenate([term.jacobian(space, u) for term in terms])
