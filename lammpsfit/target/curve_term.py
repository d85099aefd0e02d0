"""A term that wants a whole curve, such as a distribution of bond angles or S(q).

Its residuals are differences of the curve, all with one scale,

    y_k = 0.01 (<A_k> - w_k) / (per_percent · norm),

so that its deviation is the distance d = |<A> - w| / norm in units of `per_percent`. The norm says
what a distance of 1 is: it belongs to the term.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate, mean_and_error
from lammpsfit.target.term import Term

Curves: TypeAlias = Mapping[str, tuple[FloatArray, FloatArray]]
"""Curves that a run reached, each with its standard error, by the name of the term."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What is wanted of a term, as a picture shows it.

    Attributes
    ----------
    name
        Name of the term.
    title
        What is drawn, in words.
    x_label, y_label
        Labels of the axes, with units.
    x, y
        The curve wanted, shape (K,) each.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False)
class CurveTerm(Term):
    """A term that wants a curve.

    Attributes
    ----------
    x
        Where it is compared, shape (K,).
    curve_wanted
        What is wanted there, shape (K,).
    per_percent
        Distance that counts as much as R = 1 %.
    """

    x: FloatArray
    curve_wanted: FloatArray
    per_percent: float

    @property
    @abstractmethod
    def norm(self) -> float:
        """Length of a difference |<A> - w| that is a distance of 1."""

    @property
    @abstractmethod
    def curve(self) -> Curve:
        """What is wanted, for pictures."""

    @property
    @abstractmethod
    def structureless(self) -> FloatArray:
        """The curve of a gas without structure, shape (K,)."""

    @property
    def gas(self) -> float:
        """Sum of its squared residuals for a gas without structure."""
        return float(np.sum(((self.structureless - self.wanted) * self.scale) ** 2))

    @property
    def wanted(self) -> FloatArray:
        """The curve wanted, shape (K,)."""
        return self.curve_wanted

    @property
    def scale(self) -> FloatArray:
        """Residual per unit of a difference, shape (K,)."""
        return np.full(self.x.size, 0.01 / (self.per_percent * self.norm))

    def reached(self, sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return the curve of a run and its standard error, shape (K,) each.

        The error is NaN with a single block.
        """
        return mean_and_error(self.blocks(sample))

    def blocks(self, sample: Sample) -> FloatArray:
        """Return the curve of each block of a run, shape (B, K)."""
        return self.per_block(sample) / self.scale + self.wanted

    def value(self, sample: Sample) -> Estimate:
        """Return the distance d of a run, with its jackknife error."""
        found, unit = self.deviation(sample), self.per_percent / 0.01
        return Estimate(found.mean * unit, found.error * unit)
