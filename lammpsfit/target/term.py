"""What a term is: one thing that is wanted of a potential.

The residuals of a term are linear in averages over the frames of a run,

    y_k = s_k (<A_k> - w_k),

with what is observed A, what is wanted w and a scale s that makes deviations of different terms
comparable: y = 0.01 counts as much as R = 1 %. The objective is the root of the sum of their
squares over all terms.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.md.frames import Frames, Measure
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import Sample
from lammpsfit.md.system import System
from lammpsfit.structure.blocks import Estimate, jackknife_error, leave_one_out, mean_and_error


@dataclass(frozen=True)
class Setting:
    """Where a term is wanted.

    Attributes
    ----------
    potential
        The start potential, restricted to the species of the system.
    system
        What is in the box.
    protocol
        How it is run.
    """

    potential: Potential
    system: System
    protocol: Protocol


@dataclass(frozen=True)
class Column:
    """How a term is shown in tables.

    Attributes
    ----------
    name
        Name of the term.
    label, unit
        Head of its column.
    factor, digits
        What turns its value into that unit, and how many digits after the point it gets.
    wanted
        What is wanted, in units of the term; None where it is no single number.
    words
        How much of a deviation counts as R = 1 %, in words.
    """

    name: str
    label: str
    unit: str
    factor: float
    digits: int
    wanted: float | None
    words: str


class AnyTerm(ABC):
    """One thing that is wanted, of runs (:class:`Term`) or of the potential itself."""

    name: str
    """Name in the journal and in results; no two terms of a target share one."""

    @property
    @abstractmethod
    def column(self) -> Column:
        """How it is shown in tables."""

    @property
    def gas(self) -> float:
        """Sum of its squared residuals for a gas without structure; 0 where it says nothing."""
        return 0.0

    def value(self, sample: Sample) -> Estimate | None:
        """Return what was reached in units of the term; None where it is no single number."""
        return None

    @abstractmethod
    def per_block(self, sample: Sample) -> FloatArray:
        """Return what each block of a run contributes to the residuals, shape (B, K)."""

    def deviation(self, sample: Sample) -> Estimate:
        """Return the root of the sum of its squared residuals, with its jackknife error."""
        return root_of_squares([self.per_block(sample)])

    def kept_of(self, sample: Sample) -> FloatArray:
        """Return what a sample keeps of this term, a row for each block.

        Raises
        ------
        InputError
            If the run was made without this term.
        """
        if self.name not in sample.observed:
            raise InputError(
                f"the sample must hold {self.name}, got only {', '.join(sample.observed) or 'g(r)'}"
                ": begin a new run where terms were added"
            )
        return sample.observed[self.name]


class Term(AnyTerm):
    """Something wanted of the frames of a run. K is the number of its residuals."""

    measure: Measure | None = None
    """What it needs of the positions in each frame, taken during the run; None where the
    histograms of pair distances are enough. ``frames.measured[name]`` has it afterwards."""

    fine_bins: bool = False
    """Whether it needs narrower bins of the pair distances than the reference has."""

    @abstractmethod
    def observe(self, frames: Frames) -> FloatArray:
        """Return A of each frame, shape (n_frames, K)."""

    @property
    @abstractmethod
    def wanted(self) -> FloatArray:
        """What is wanted of each, w, shape (K,)."""

    @property
    @abstractmethod
    def scale(self) -> FloatArray:
        """Residual per unit of each, s, shape (K,)."""

    @property
    def wanted_error(self) -> FloatArray | None:
        """Standard errors of what is wanted, shape (K,); None where they are unknown."""
        return None

    def slope(self, frames: Frames, space: ParameterSpace, u: FloatArray) -> FloatArray | None:
        """Return dA/du of each frame at fixed positions, shape (n_frames, K, d).

        None where A depends on the positions only.
        """
        return None

    def per_frame(self, frames: Frames) -> FloatArray:
        """Return what each frame contributes to the residuals, shape (n_frames, K)."""
        return (self.observe(frames) - self.wanted) * self.scale

    def per_frame_slope(
        self, frames: Frames, space: ParameterSpace, u: FloatArray
    ) -> FloatArray | None:
        """Return the derivatives of :meth:`per_frame` at fixed positions; None where they are 0."""
        slope = self.slope(frames, space, u)
        return None if slope is None else slope * self.scale[:, None]

    def per_block(self, sample: Sample) -> FloatArray:
        """Return what each block of a run contributes to the residuals, shape (B, K).

        Raises
        ------
        InputError
            If the run was made without this term.
        """
        return (self.kept_of(sample) - self.wanted) * self.scale


@dataclass(frozen=True)
class ScalarTerm(Term):
    """A term that wants one number.

    Attributes
    ----------
    wanted_value
        What is wanted.
    per_percent
        Deviation that counts as much as R = 1 %, in the same unit.
    """

    label: ClassVar[str]
    """Head of its column."""
    unit: ClassVar[str] = ""
    """Unit of `wanted_value`."""
    shown: ClassVar[tuple[str, float, int]] = ("", 1.0, 2)
    """Unit in tables, the factor to it, and digits after the point."""

    wanted_value: float
    per_percent: float

    @property
    def wanted(self) -> FloatArray:
        """What is wanted, shape (1,)."""
        return np.array([self.wanted_value])

    @property
    def scale(self) -> FloatArray:
        """Residual per unit, shape (1,)."""
        return np.array([0.01 / self.per_percent])

    @property
    def column(self) -> Column:
        """How it is shown in tables."""
        unit, factor, digits = self.shown
        enough = f"{self.per_percent * factor:.3g}{f' {unit}' if unit else ''}"
        return Column(
            self.name,
            self.label,
            unit,
            factor,
            digits,
            self.wanted_value,
            f"{self.label}: a deviation of {enough} counts as much as R = 1 %",
        )

    def value(self, sample: Sample) -> Estimate:
        """Return the mean over the blocks of a run, with its standard error."""
        blocks = self.per_block(sample)[:, 0] / self.scale[0] + self.wanted_value
        return Estimate(*map(float, mean_and_error(blocks)))


def root_of_squares(blocks: list[FloatArray]) -> Estimate:
    """Return the root of the sum of squared mean residuals, with its jackknife error.

    Parameters
    ----------
    blocks
        Residuals by block of one run, shape (B, K) for each term.
    """
    y = np.concatenate(blocks, axis=1)
    value = float(np.sqrt(np.sum(y.mean(axis=0) ** 2)))
    if len(y) < 2:
        return Estimate(value, float("nan"))
    without_one = np.sqrt(np.sum(leave_one_out(y) ** 2, axis=1))
    return Estimate(value, float(jackknife_error(without_one)))


def check_names(terms: Sequence[AnyTerm]) -> None:
    """Check that no two terms share a name.

    Raises
    ------
    InputError
        If two do.
    """
    names = [term.name for term in terms]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"a target must want each thing once, got {name} twice")
