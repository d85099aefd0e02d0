"""Mean coordination numbers, such as four oxygen atoms about each silicon atom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lammpsfit.config import CoordinationTable
from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.structure.rdf import canonical_pair
from lammpsfit.target.term import ScalarTerm, Setting


@dataclass(frozen=True)
class Coordination(ScalarTerm):
    """The mean number of neighbours within a cutoff.

    Attributes
    ----------
    centre, neighbour
        Species.
    cutoff
        Distance in Å within which an atom is a neighbour.
    """

    centre: str
    neighbour: str
    cutoff: float
    shown = ("", 1.0, 3)
    fine_bins = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with the pair and the cutoff: one pair may have several."""
        return f"coordination {self.centre}-{self.neighbour} {self.cutoff:g}"

    @property
    def label(self) -> str:  # type: ignore[override]
        """Head of its column."""
        return f"n {self.centre}-{self.neighbour} < {self.cutoff:g} Å"

    def observe(self, frames: Frames) -> FloatArray:
        """Return the mean number of neighbours in each frame, shape (n_frames, 1)."""
        names = [canonical_pair(pair) for pair in frames.pairs]
        counts = frames.counts[:, names.index(canonical_pair(f"{self.centre}-{self.neighbour}"))]
        edges = frames.histogram.dr * np.arange(frames.histogram.size + 1)
        # of the bin that the cutoff falls into, the part below it
        within = np.clip((self.cutoff - edges[:-1]) / frames.histogram.dr, 0.0, 1.0)
        ends = 2 if self.centre == self.neighbour else 1
        number: FloatArray = ends * (counts @ within) / frames.atoms[self.centre]
        return number[:, None]


def build(tables: Sequence[CoordinationTable], setting: Setting) -> Iterator[Coordination]:
    """Make the terms of ``[[coordination]]`` tables.

    Raises
    ------
    InputError
        If a species is none of the system, or a cutoff reaches past that of the potential.
    """
    reach = setting.potential.outer_cutoff
    for table in tables:
        for key in ("centre", "neighbour"):
            if getattr(table, key) not in setting.system.species:
                raise InputError(
                    f"coordination.{key} must be one of {', '.join(setting.system.species)}, got "
                    f"{quoted(getattr(table, key))}"
                )
        if table.cutoff > reach:
            raise InputError(
                f"coordination.cutoff must be at most the cutoff of the potential ({reach:g} Å), "
                f"got {table.cutoff:g} Å"
            )
        yield Coordination(
            table.value, table.per_percent, table.centre, table.neighbour, table.cutoff
        )
