"""What a crystal is at rest, as terms: its cell, its places, its elastic constants; without a run.

All follow from the second derivatives at the cell and places of the file
(:mod:`~lammpsfit.target.crystal_response`), to first order: they are exact where the crystal of
the file is at rest. Stress and forces alone weigh soft and stiff ways alike; the step to rest that
they mean is what a user sees, as in the "relaxed fitting" of Gale (Phil. Mag. B 73, 3, 1996).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np

from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.md.histogram import FloatArray
from lammpsfit.target.crystal_response import CrystalResponse, Response
from lammpsfit.target.static_term import RmsTerm
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, BAR_PER_GPA

GPA: Final = BAR_PER_EV_PER_CUBIC_ANGSTROM / BAR_PER_GPA
"""GPa of one eV/Å^3."""


@dataclass(frozen=True, eq=False)
class ResponseTerm(RmsTerm):
    """One thing that follows from the response of a crystal.

    Attributes
    ----------
    title
        What the crystal is called.
    response
        The crystal.
    per_percent
        Root-mean-square error that counts as much as R = 1 %.
    """

    title: str
    response: CrystalResponse
    per_percent: float
    kind: ClassVar[str]
    """What is wanted, for names and heads of columns."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with that of the crystal."""
        return f"{self.kind} {self.title}"

    def check(self, potential: Potential) -> None:
        """Refuse a potential that has no forces on these atoms."""
        self.response.images.check(potential)

    def residuals(self, potential: Potential) -> FloatArray:
        """Return the residuals, shape (K,)."""
        return self._scaled(self._found(self.response.at(potential)) - self._wanted)

    def jacobian(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return their derivatives at the point `u`, shape (K, d)."""
        there, slopes = self.response.linear(space, u)
        return self._scaled(np.stack([self._slope(there, slope) for slope in slopes], axis=-1))

    @abstractmethod
    def _found(self, response: Response) -> FloatArray:
        """Return what the potential gives, shape (K,)."""

    @abstractmethod
    def _slope(self, response: Response, slope: Response) -> FloatArray:
        """Return its derivative along a slope, shape (K,)."""


@dataclass(frozen=True, eq=False)
class CellTerm(ResponseTerm):
    """The cell at rest: strains from the file's, shears counting twice; `per_percent` in %."""

    kind = "cell"
    shown = ("%", 1.0, 2)

    @property
    def _wanted(self) -> FloatArray:
        return np.zeros(6)

    def _found(self, response: Response) -> FloatArray:
        return 100.0 * response.strain

    def _slope(self, response: Response, slope: Response) -> FloatArray:
        return 100.0 * response.strain_slope(slope)


@dataclass(frozen=True, eq=False)
class PlacesTerm(ResponseTerm):
    """Where atoms come to rest in that cell: moves from the file's; `per_percent` in Å."""

    kind = "places"
    shown = ("Å", 1.0, 3)

    @property
    def _wanted(self) -> FloatArray:
        return np.zeros(3 * len(self.response.crystal))

    def _found(self, response: Response) -> FloatArray:
        return response.moves

    def _slope(self, response: Response, slope: Response) -> FloatArray:
        return response.moves_slope(slope)


@dataclass(frozen=True, eq=False)
class ElasticTerm(ResponseTerm):
    """Elastic constants; `per_percent` in GPa.

    Attributes
    ----------
    wanted
        In GPa, by name: C11 to C66, where 1 to 6 are xx, yy, zz, yz, xz, xy.
    """

    wanted: Mapping[str, float] = field(default_factory=dict)
    kind = "elastic"
    shown = ("GPa", 1.0, 1)

    @property
    def of(self) -> str:  # type: ignore[override]
        """The constants."""
        return f" over {', '.join(self.wanted)}"

    def stiffness(self, potential: Potential) -> FloatArray:
        """Return the elastic constants in GPa, symmetrised, shape (6, 6)."""
        return GPA * self.response.at(potential).stiffness

    @property
    def _wanted(self) -> FloatArray:
        return np.array(list(self.wanted.values()))

    @property
    def _places(self) -> tuple[list[int], list[int]]:
        """Rows and columns of what is wanted."""
        rows, columns = ([int(name[k]) - 1 for name in self.wanted] for k in (1, 2))
        return rows, columns

    def _found(self, response: Response) -> FloatArray:
        return GPA * response.stiffness[self._places]

    def _slope(self, response: Response, slope: Response) -> FloatArray:
        return GPA * response.stiffness_slope(slope)[self._places]


KINDS: Final[Mapping[str, type[ResponseTerm]]] = {
    kind.kind: kind for kind in (CellTerm, PlacesTerm, ElasticTerm)
}
"""The terms by what is wanted."""
