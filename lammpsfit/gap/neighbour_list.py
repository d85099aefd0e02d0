"""Neighbours that are found once, and kept while the atoms move little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.gap.graph import Neighbourhood, hood_of, species_indices
from lammpsfit.labelled.frames import Frame, roomy_cell
from lammpsfit.structure.neighbours import bonds_within

FloatArray = NDArray[np.float64]

SKIN: Final = 0.7
"""Å. Wider ones are found anew less often, and take longer each time they are looked through."""


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found of a frame, in the order of the centres."""

    frame: Frame
    species: NDArray[np.intp]
    centre: NDArray[np.intp]
    neighbour: NDArray[np.intp]
    images: FloatArray
    """Cells between the two atoms of a bond, whole numbers, shape (n_bonds, 3)."""


class NeighbourList:
    """The neighbours of one frame after another, as in molecular dynamics.

    The search goes a skin beyond the cutoff. As long as no atom can have come nearer to another
    than was searched, by its own motion or by that of the cell, no new search is needed. The
    neighbours are the same as those of :func:`lammpsfit.gap.graph.neighbourhood`.

    Parameters
    ----------
    species
        Known species.
    cutoff, near_cutoff : Å
        Of all neighbours, and of those that are near.
    skin : Å
        How far to search beyond the cutoff.

    Attributes
    ----------
    searches : int
        How often it had to search.
    """

    def __init__(
        self, species: Sequence[str], cutoff: float, near_cutoff: float, skin: float = SKIN
    ) -> None:
        self.searches = 0
        self._species = tuple(species)
        self._cutoffs = cutoff, near_cutoff
        self._skin = skin
        self._found: _Found | None = None

    def neighbourhood(self, frame: Frame) -> Neighbourhood:
        """Return the neighbours of every atom.

        Raises
        ------
        InputError
            If the frame has a species that is not known.
        """
        found = self._found
        if found is None or not self._covers(found, frame):
            found = self._found = self._search(frame)
        x = frame.positions
        vector = x[found.neighbour] - x[found.centre] + found.images @ frame.cell
        return hood_of(frame, found.species, found.centre, found.neighbour, vector, *self._cutoffs)

    def _search(self, frame: Frame) -> _Found:
        self.searches += 1
        species = species_indices(frame, self._species)
        reach = self._cutoffs[0] + self._skin
        bonds = bonds_within(frame.positions, roomy_cell(frame, reach), reach)
        x = frame.positions
        apart = bonds.vector - (x[bonds.neighbour] - x[bonds.centre])
        # atoms that are not periodic along a direction have no images along it
        images = np.rint(apart @ np.linalg.pinv(frame.cell)) * np.array(frame.pbc)
        return _Found(frame, species, bonds.centre, bonds.neighbour, images)

    def _covers(self, found: _Found, frame: Frame) -> bool:
        """Whether no two atoms can be within the cutoff that were beyond it and the skin."""
        before = found.frame
        if frame.symbols != before.symbols or frame.pbc != before.pbc:
            return False
        moved, least = frame.positions - before.positions, 1.0
        if not np.array_equal(frame.cell, before.cell):
            if not all(frame.pbc):
                return False
            # what was r apart is at least `least` r apart in the cell as it is now
            F = np.linalg.solve(before.cell, frame.cell)
            moved = frame.positions - before.positions @ F
            least = float(np.linalg.svd(F, compute_uv=False)[-1])
        furthest = float(np.sqrt((moved**2).sum(axis=1).max()))
        return least * (self._cutoffs[0] + self._skin) - 2.0 * furthest > self._cutoffs[0]
