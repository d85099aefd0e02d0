"""From trajectories to pair distributions, bond angles and coordination numbers, with errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import shown
from lammpsfit.reference.frame import Hints
from lammpsfit.reference.plausible import check_first_peak
from lammpsfit.reference.repeats import Repeats
from lammpsfit.reference.spool import Spool
from lammpsfit.reference.trajectory import Selection, read_trajectory
from lammpsfit.structure.bonding import (
    BondAngles,
    BondCounter,
    BondCounts,
    Coordination,
    bonding_of_blocks,
)
from lammpsfit.structure.pair_counts import configuration_rdf, first_minimum
from lammpsfit.structure.rdf import PartialRdf, canonical_pair

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how many frames of it are, and of how many (None: not known)."""

MAX_BINS: Final = 100_000

MOST_BLOCKS: Final = 10_000
"""Blocks that errors come from, at most."""

THINNEST: Final = 1e-4
"""Å that a bin has at least: thinner ones are empty."""

WIDTH: Final = 0.02
"""Width of a bin in Å where none is asked for."""


@dataclass(frozen=True)
class Settings:
    """What to make of a trajectory.

    Attributes
    ----------
    selection : Selection
        The frames that count.
    r_max : float or None, Å
        End of the range of g(r); None: half the smallest height of the box.
    dr : float or None, Å
        Width of a bin; None: :data:`WIDTH`, and for tables that of the table.
    blocks : int
        Parts the run is divided into for the errors; 1: no errors.
    cutoffs : mapping of str to float, Å
        Cutoffs of bonds by pair; the first minimum of g(r) where not given.
    """

    selection: Selection = field(default_factory=Selection)
    r_max: float | None = None
    dr: float | None = None
    blocks: int = 10
    cutoffs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not THINNEST <= self.width < np.inf:
            raise InputError(f"dr must be at least {THINNEST:g} Å, got {self.width:g} Å")
        if self.r_max is not None and not 2 * self.width <= self.r_max <= MAX_BINS * self.width:
            raise InputError(
                f"r_max must hold at least two bins of {self.width:g} Å, and {MAX_BINS} at most, "
                f"got {self.r_max:g} Å"
            )
        if not 1 <= self.blocks <= MOST_BLOCKS:
            raise InputError(f"blocks must be 1 to {MOST_BLOCKS}, got {self.blocks}")
        for pair, cutoff in self.cutoffs.items():
            canonical_pair(pair)
            if not 0.0 < cutoff < np.inf:
                raise InputError(f"the cutoff of {pair} must be positive, got {cutoff:g} Å")

    @property
    def width(self) -> float:
        """Width of a bin in Å."""
        return WIDTH if self.dr is None else self.dr


@dataclass(frozen=True, eq=False)
class Analysis:
    """The structure of a trajectory.

    Attributes
    ----------
    rdf : PartialRdf
        With its blocks.
    angles : BondAngles or None
        None where there are no bonds.
    coordination : tuple of Coordination
        Of every pair of species that has a cutoff, from either end.
    cutoffs : mapping of str to float, Å
        Cutoffs of bonds by pair.
    given : tuple of str
        The pairs whose cutoff was given, not found.
    atoms : mapping of str to int
        Number of atoms by species.
    sources : tuple of (Path, str, int)
        Each file, its format and number of frames.
    used, skipped, dropped : int
        Frames that count; that were skipped as wished; that were left out besides, for blocks of
        equal length.
    volume : (float, float, float), Å³
        Mean, smallest and largest of the frames that count.
    smallest_height : float, Å
        Smallest distance between opposite faces of the box in any frame.
    settings : Settings
        What was asked for.
    warnings : tuple of str
        What the user should know.
    """

    rdf: PartialRdf
    angles: BondAngles | None
    coordination: tuple[Coordination, ...]
    cutoffs: Mapping[str, float]
    given: tuple[str, ...]
    atoms: Mapping[str, int]
    sources: tuple[tuple[Path, str, int], ...]
    used: int
    skipped: int
    dropped: int
    volume: tuple[float, float, float]
    smallest_height: float
    settings: Settings
    warnings: tuple[str, ...]


def analyse(
    files: Sequence[Path],
    forms: Sequence[str],
    hints: Sequence[Hints],
    settings: Settings,
    scratch: Path,
    progress: Progress = lambda _what, _done, _total: None,
) -> Analysis:
    """Measure the structure of trajectories, joined in the order given.

    Parameters
    ----------
    files : sequence of Path
        Trajectories of the same atoms.
    forms : sequence of str
        Format of each file, of :data:`lammpsfit.reference.trajectory.READERS`.
    hints : sequence of Hints
        One for each file.
    settings : Settings
        What to make of them.
    scratch : Path
        Folder with room for the frames while this runs, 24 bytes per atom and frame.
    progress : callable
        Told how far it is.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If a file cannot be read, a frame is damaged, or the frames do not do for what is asked.
    RunError
        If the disk is full.
    """
    warnings: list[str] = []
    with Spool(scratch) as spool:
        sources = list(zip(files, forms, hints, strict=True))
        counts, skipped = _read(sources, settings.selection, spool, warnings.append, progress)
        composition = spool.composition
        assert composition is not None  # there is a frame
        _check_pairs(settings.cutoffs, composition.pairs, composition.species)
        if not composition.pairs:
            raise InputError("g(r) needs at least two atoms, got one")
        length = _block_length(len(spool), settings.blocks)
        dropped = len(spool) - length * settings.blocks
        n_bins = _bins(settings, spool.smallest_height, warnings.append)
        rdf = _rdf(spool, settings, dropped, n_bins, progress)
        check_first_peak(rdf, ", ".join(map(shown, files)))
        cutoffs = _cutoffs(rdf, settings.cutoffs, spool.smallest_height, warnings.append)
        coordination, angles = _bonding(spool, settings, dropped, cutoffs, progress)
    volumes = spool.volumes[dropped:]
    own = {canonical_pair(pair) for pair in settings.cutoffs}
    return Analysis(
        rdf,
        angles,
        coordination,
        cutoffs,
        tuple(pair for pair in cutoffs if canonical_pair(pair) in own),
        composition.numbers,
        tuple(zip(files, forms, counts, strict=True)),
        len(spool) - dropped,
        skipped,
        dropped,
        (float(np.mean(volumes)), min(volumes), max(volumes)),
        spool.smallest_height,
        settings,
        tuple(warnings),
    )


def _read(
    sources: Sequence[tuple[Path, str, Hints]],
    selection: Selection,
    spool: Spool,
    warn: Callable[[str], None],
    progress: Progress,
) -> tuple[list[int], int]:
    """Put the frames that count into the spool.

    Returns
    -------
    counts : list of int
        Frames of each file.
    skip : int
        How many were skipped.
    """
    interval = _interval(*sources[0]) if selection.needs_time else None
    skip = selection.frames(interval)
    counts = []
    seen = 0
    repeats = Repeats()
    for path, form, hints in sources:
        before = seen
        for frame in read_trajectory(path, form, hints, warn):
            if repeats.is_one(frame):
                continue
            if seen >= skip and (seen - skip) % selection.stride == 0:
                spool.append(frame, f"{path}, frame {seen - before + 1}")
            seen += 1
            progress("reading", seen, None)
        counts.append(seen - before)
    for line in repeats.notes():
        warn(line)
    if not len(spool):
        raise InputError(
            f"no frame is left: all {seen} are skipped by --skip {selection.skip}: skip fewer"
        )
    return counts, skip


def _interval(path: Path, form: str, hints: Hints) -> float | None:
    """Time between the first two frames of a file in ps, if it tells."""
    times = [frame.time for frame in islice(read_trajectory(path, form, hints), 2)]
    if len(times) < 2 or times[0] is None or times[1] is None:
        return None
    return times[1] - times[0]


def _check_pairs(
    cutoffs: Mapping[str, float], pairs: Sequence[str], species: Sequence[str]
) -> None:
    known = {canonical_pair(pair) for pair in pairs}
    for pair in cutoffs:
        if canonical_pair(pair) not in known:
            raise InputError(
                f"cutoff of {pair}: no such pair in the trajectory, which has {', '.join(species)}"
            )


def _block_length(n_frames: int, blocks: int) -> int:
    if n_frames < blocks:
        raise InputError(
            f"{blocks} blocks need at least as many frames, got {n_frames}: give --blocks "
            f"{n_frames} or fewer (1: no errors), or more frames"
        )
    return n_frames // blocks


def _bins(settings: Settings, height: float, warn: Callable[[str], None]) -> int:
    half = height / 2
    if settings.r_max is None:
        n_bins = int(half / settings.width + 1e-9)
        if not 2 <= n_bins <= MAX_BINS:
            raise InputError(f"half the box ({half:g} Å) must hold 2 to {MAX_BINS} bins: choose dr")
        return n_bins
    if settings.r_max > height:
        raise InputError(
            f"r_max must be at most the smallest height of the box ({height:.4g} Å; half of it, "
            f"{half:.4g} Å, is the default), where atoms begin to meet their own images, got "
            f"{settings.r_max:g} Å"
        )
    if settings.r_max > half * (1 + 1e-9):
        warn(
            f"g(r) beyond {half:.4g} Å, half the smallest height of the box, counts periodic "
            f"images, and correlations are those of a periodic system"
        )
    return round(settings.r_max / settings.width)


def _rdf(
    spool: Spool, settings: Settings, first: int, n_bins: int, progress: Progress
) -> PartialRdf:
    composition = spool.composition
    assert composition is not None
    dr = settings.width if settings.r_max is None else settings.r_max / n_bins
    length = (len(spool) - first) // settings.blocks
    blocks = np.zeros((settings.blocks, len(composition.pairs), n_bins))
    for k, (positions, cell) in enumerate(spool.frames(first)):
        blocks[k // length] += configuration_rdf(composition, positions, cell, dr, n_bins)
        progress("g(r)", k + 1, len(spool) - first)
    r = dr * (np.arange(n_bins) + 0.5)
    return PartialRdf.from_blocks(composition.pairs, r, blocks / length)


def _cutoffs(
    rdf: PartialRdf, given: Mapping[str, float], height: float, warn: Callable[[str], None]
) -> dict[str, float]:
    own = {canonical_pair(pair): cutoff for pair, cutoff in given.items()}
    cutoffs = {}
    for pair, g in zip(rdf.pairs, rdf.g, strict=True):
        cutoff = own.get(canonical_pair(pair))
        if cutoff is None:
            cutoff = first_minimum(rdf.r, g)
        elif cutoff > height:
            raise InputError(
                f"the cutoff of {pair} must be at most the smallest height of the box "
                f"({height:.4g} Å), got {cutoff:g} Å"
            )
        if cutoff is None:
            warn(f"{pair}: g(r) has no first minimum within its range: no bonds (give --cutoff)")
        else:
            cutoffs[pair] = cutoff
    return cutoffs


def _bonding(
    spool: Spool,
    settings: Settings,
    first: int,
    cutoffs: Mapping[str, float],
    progress: Progress,
) -> tuple[tuple[Coordination, ...], BondAngles | None]:
    if not cutoffs:
        return (), None
    assert spool.composition is not None
    counter = BondCounter(spool.composition, cutoffs)
    length = (len(spool) - first) // settings.blocks
    blocks: list[BondCounts] = []
    for k, (positions, cell) in enumerate(spool.frames(first)):
        counts = counter.count(positions, cell)
        if k % length:
            blocks[-1] += counts
        else:
            blocks.append(counts)
        progress("bonds and angles", k + 1, len(spool) - first)
    coordination, angles = bonding_of_blocks(counter, blocks)
    return coordination, angles if angles.triples else None
