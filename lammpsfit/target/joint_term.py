"""What is wanted of several conditions together, such as a modulus between two densities.

Such a term is a function y(x) of averages x, one of each of its conditions. The runs of a condition
observe its average beside what is wanted of that condition alone. The derivatives of y in the
parameters follow from those of the averages, which are known by the fluctuations of the same runs,

    dy/dθ = Σ_c ∂y/∂x_c · dx_c/dθ.

y² adds to the squared objective of all conditions, whatever their weights: y = 0.01 counts as much
as R = 1 % under every condition.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lammpsfit.forcefield import ParameterSpace
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate, leave_one_out, mean_and_error
from lammpsfit.structure.fluctuations import Pair, Response
from lammpsfit.target.term import Column, ScalarTerm, Term


@dataclass(frozen=True)
class Watched(Term):
    """An average that runs observe for a term of several conditions; it is no residual by itself.

    Attributes
    ----------
    term
        What is averaged; what it wants does not matter.
    """

    term: ScalarTerm

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name in samples; the condition may want the same average by its own name."""
        return f"mean {self.term.name}"

    @property
    def column(self) -> Column:
        """How it would be shown in tables."""
        return self.term.column

    def observe(self, frames: Frames) -> FloatArray:
        """Return it for each frame, shape (n_frames, 1)."""
        return self.term.observe(frames)

    @property
    def wanted(self) -> FloatArray:
        """Nothing: the residual is the average itself, shape (1,)."""
        return np.zeros(1)

    @property
    def scale(self) -> FloatArray:
        """No scale, shape (1,)."""
        return np.ones(1)

    def slope(self, frames: Frames, space: ParameterSpace, u: FloatArray) -> FloatArray | None:
        """Return its derivatives at fixed positions, shape (n_frames, 1, d)."""
        return self.term.slope(frames, space, u)


class JointTerm(ABC):
    """One number that is wanted of several conditions together; x are their averages."""

    conditions: tuple[str, ...]
    """The conditions, in the order of x."""
    wanted_value: float
    """What is wanted."""

    @property
    @abstractmethod
    def column(self) -> Column:
        """How it is shown in tables."""

    @property
    def name(self) -> str:
        """Name in the journal and in results."""
        return self.column.name

    @abstractmethod
    def watched(self, condition: str) -> Watched:
        """Return what is averaged under one of its conditions."""

    @abstractmethod
    def value(self, x: FloatArray) -> FloatArray:
        """Return the number in units of the term, shape (...,), of averages, shape (..., n)."""

    @abstractmethod
    def value_slope(self, x: FloatArray) -> FloatArray:
        """Return its derivatives in the averages, shape (..., n)."""

    @abstractmethod
    def residual(self, x: FloatArray) -> FloatArray:
        """Return y, shape (...,)."""

    @abstractmethod
    def residual_slope(self, x: FloatArray) -> FloatArray:
        """Return ∂y/∂x, shape (..., n)."""

    def blocks(self, samples: Mapping[str, Sample]) -> list[FloatArray]:
        """Return the average of each block of the runs, shape (B_c,) for each of its conditions.

        Raises
        ------
        InputError
            If a run was made without this term.
        """
        return [self.watched(name).per_block(samples[name])[:, 0] for name in self.conditions]

    def reached(self, samples: Mapping[str, Sample]) -> tuple[Estimate, Estimate]:
        """Return what runs reached, in units of the term, and the size of y; runs are independent.

        Raises
        ------
        InputError
            If a run was made without this term.
        """
        means, errors = np.array([mean_and_error(one) for one in self.blocks(samples)]).T
        value = _propagated(float(self.value(means)), self.value_slope(means), errors)
        y = _propagated(abs(float(self.residual(means))), self.residual_slope(means), errors)
        return value, y

    def squares_without(self, condition: str, samples: Mapping[str, Sample]) -> FloatArray:
        """Return y² without each block of the run of one condition, shape (B_c,), or () of others.

        Raises
        ------
        InputError
            If a run was made without this term.
        """
        blocks = self.blocks(samples)
        x = np.array([one.mean() for one in blocks])
        if condition in self.conditions:
            k = self.conditions.index(condition)
            x = np.tile(x, (len(blocks[k]), 1))
            x[:, k] = leave_one_out(blocks[k])
        return self.residual(x) ** 2

    def response(self, averages: Mapping[str, Response]) -> Response:
        """Return y and its derivatives in the parameters.

        Parameters
        ----------
        averages
            By condition that of its average, K = 1; replicates are those of all conditions.
        """
        every = [averages[name] for name in self.conditions]

        def means() -> Pair:
            return (
                np.concatenate([one.mean for one in every]),
                np.concatenate([one.means for one in every], axis=1),
            )

        def residuals() -> Pair:
            whole, without = means()
            return self.residual(whole)[None], self.residual(without)[:, None]

        def derivatives() -> Pair:
            whole, without = (self.residual_slope(x)[..., None, :] for x in means())
            return (
                whole @ np.concatenate([one.jacobian for one in every]),
                without @ np.concatenate([one.jacobians for one in every], axis=1),
            )

        return Response(residuals, derivatives, lambda: every[0].metric, every[0].dim)


def _propagated(value: float, slope: FloatArray, errors: FloatArray) -> Estimate:
    return Estimate(value, float(np.hypot.reduce(slope * errors)))
