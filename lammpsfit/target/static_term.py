"""What is wanted of a potential itself, without a run: forces on labelled atoms, for instance.

Its residuals y(θ) are a function of the parameters without noise, and so is their Jacobian. Their
squares are part of the same objective as those of runs. A sample keeps of them what a table needs,
the root of the sum of their squares; whoever needs the residuals computes them again.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.sample import Sample
from lammpsfit.target.term import AnyTerm


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


def residuals(terms: Sequence[StaticTerm], potential: Potential) -> FloatArray:
    """Return the residuals of several terms one after the other, shape (K,)."""
    return np.concatenate([term.residuals(potential) for term in terms])


def jacobian(terms: Sequence[StaticTerm], space: ParameterSpace, u: FloatArray) -> FloatArray:
    """Return their derivatives at the point `u`, shape (K, d)."""
    return np.concatenate([term.jacobian(space, u) for term in terms])
