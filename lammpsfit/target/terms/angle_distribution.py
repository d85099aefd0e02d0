"""Distributions of bond angles, such as Si-O-Si and O-Si-O.

The distance of a distribution p from the one wanted, w, is

    d = |p - w| / (√π |w|),    |w|² = ∫ w² dθ.

For a Gaussian that is shifted or broadened a little it is the fraction of the angles that are out
of place, 1 - ∫ min(p, w) dθ (to 0.5 % of itself where it is shifted, to 1 % where it is broadened);
other than that, it has a derivative everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lammpsfit.config import AngleDistributionTable
from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.sample import Sample
from lammpsfit.reference.angle_table import AngleTable, read_angle_table
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.bonding import ANGLE_BINS, BondCounter
from lammpsfit.structure.curves import jackknife, overlap
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import canonical_pair
from lammpsfit.target.curve_term import Curve, CurveTerm
from lammpsfit.target.term import Column, Setting

POINTS: Final = 1440
"""Points between 0 and 180° to which the table is interpolated, to be summed into bins."""

CUT_OFF: Final = 0.1
"""A curve that ends above this part of its highest point, not at 0 or 180°, is cut off."""


@dataclass(frozen=True, eq=False)
class AngleDistribution(CurveTerm):
    """The distribution of the angle end-centre-end in bins, as fractions per degree.

    Attributes
    ----------
    triple
        Species, the centre in the middle, such as "Si-O-Si".
    cutoffs
        Longest bond in Å by pair.
    """

    triple: str
    cutoffs: Mapping[str, float]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with the angle."""
        return f"angle distribution {self.triple}"

    @property
    def norm(self) -> float:
        """√π |w|, in the same sum over bins as differences."""
        return float(np.sqrt(np.pi * np.sum(self.curve_wanted**2)))

    @property
    def structureless(self) -> FloatArray:
        """Angles of random directions, sin(θ)/2 per radian, shape (K,)."""
        p: FloatArray = np.sin(np.radians(self.x)) * np.pi / 360.0
        return p

    @property
    def column(self) -> Column:
        """The overlap of both distributions, in per cent."""
        enough = f"{100 * self.per_percent:.3g} %"
        words = (
            f"{self.triple}: overlap with the distribution wanted; {enough} of the angles out of "
            "place count as much as R = 1 %"
        )
        return Column(self.name, self.triple, "overlap %", 100.0, 1, 1.0, words)

    @property
    def curve(self) -> Curve:
        """The distribution wanted."""
        title = f"angle {self.triple}"
        return Curve(self.name, title, "θ (degree)", "p (1/degree)", self.x, self.wanted)

    def measure(
        self, composition: Composition, positions: FloatArray, cell: FloatArray
    ) -> FloatArray:
        """Return the distribution in one frame, shape (K,); zero where it has no such angle."""
        counter = BondCounter(composition, self.cutoffs)
        names = ["-".join(composition.species[k] for k in kinds) for kinds in counter.triples]
        row = next(k for k, name in enumerate(names) if name in (self.triple, self._reversed))
        counts = counter.count(positions, cell).angles[row].reshape(self.x.size, -1).sum(axis=1)
        p: FloatArray = counts / max(counts.sum() * 180.0 / self.x.size, 1.0)
        return p

    def observe(self, frames: Frames) -> FloatArray:
        """Return the distribution in each frame, shape (n_frames, K)."""
        return frames.measured[self.name]

    def value(self, sample: Sample) -> Estimate:
        """Return the overlap with the distribution wanted, 0 to 1, with its jackknife error."""
        return jackknife(self.blocks(sample), self._overlap)

    def _overlap(self, p: FloatArray) -> float:
        return overlap(p, self.curve_wanted) if p.any() else 0.0

    @property
    def _reversed(self) -> str:
        return "-".join(reversed(self.triple.split("-")))


def build(
    tables: Sequence[AngleDistributionTable], setting: Setting
) -> Iterator[AngleDistribution]:
    """Make the terms of ``[[angle_distribution]]`` tables.

    Raises
    ------
    InputError
        If the angle or a cutoff is none of the system, the file has no such angle, or bins do not
        make up 180°.
    """
    for table in tables:
        cutoffs = _cutoffs(table, setting)
        n = round(180.0 / table.width)
        if abs(n * table.width - 180.0) > 1e-6 or ANGLE_BINS % n:
            raise InputError(
                "angle_distribution.width must be 1, 2, 3, 4, 5, 6, 9 or 10 degrees, got "
                f"{table.width:g}"
            )
        theta = (np.arange(n) + 0.5) * 180.0 / n
        wanted = _wanted(read_angle_table(table.file), table, n)
        yield AngleDistribution(theta, wanted, table.per_percent, table.angle, cutoffs)


def _cutoffs(table: AngleDistributionTable, setting: Setting) -> dict[str, float]:
    """Check the species of an angle, and that its bonds have cutoffs."""
    species, reach = setting.system.species, setting.potential.outer_cutoff
    parts = table.angle.split("-")
    if len(parts) != 3 or not set(parts) <= set(species):
        raise InputError(
            "angle_distribution.angle must be three species joined by '-', the centre in the "
            f"middle, of {', '.join(species)}, got {quoted(table.angle)}"
        )
    bonds = {canonical_pair(f"{end}-{parts[1]}"): f"{end}-{parts[1]}" for end in parts[::2]}
    given = {canonical_pair(pair): cutoff for pair, cutoff in table.cutoffs.items()}
    if set(given) != set(bonds):
        raise InputError(
            f"angle_distribution.cutoffs of {table.angle} must be of {' and '.join(bonds.values())}"
            f", got {', '.join(table.cutoffs) or 'none'}"
        )
    for pair, cutoff in table.cutoffs.items():
        if cutoff > reach:
            raise InputError(
                f"angle_distribution.cutoffs.{pair} must be at most the cutoff of the potential "
                f"({reach:g} Å), got {cutoff:g} Å"
            )
    return {bonds[pair]: cutoff for pair, cutoff in given.items()}


def _wanted(known: AngleTable, table: AngleDistributionTable, n: int) -> FloatArray:
    """Return the distribution that is wanted in `n` bins, shape (n,), ∫ p dθ = 1."""
    whose = table.whose
    points = (np.arange(POINTS) + 0.5) * 180.0 / POINTS
    having = [one for one in known.curves if known.at(one, table.angle, points) is not None]
    if not having or (whose is not None and whose not in having):
        of = "" if whose is None else f" of {quoted(whose)}"
        raise InputError(
            f"{known.path}: must have the angle {table.angle}{of}, but that is there of "
            f"{', '.join(having) or 'nobody'}"
        )
    if whose is None and len(having) > 1:
        raise InputError(
            f"angle_distribution.whose must say which of {', '.join(having)} in {known.path} is "
            "wanted"
        )
    p = known.at(whose or having[0], table.angle, points)
    assert p is not None
    low, high = float(known.theta[0]), float(known.theta[-1])
    for end, value, open_end in ((low, p[0], low > 2.0), (high, p[-1], high < 178.0)):
        if open_end and value > CUT_OFF * p.max():
            raise InputError(
                f"{known.path}: {table.angle} must fall to nothing at both ends of the table, but "
                f"it is cut off at {end:g}°"
            )
    p = np.where((points >= low - 1.0) & (points <= high + 1.0), p, 0.0)
    bins: FloatArray = p.reshape(n, -1).mean(axis=1)
    bins /= bins.sum() * 180.0 / n
    return bins
