"""What frames say of other potentials, against LAMMPS with these potentials on the same atoms."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.child.process import run_in_child
from lammpsfit.errors import RunError
from lammpsfit.forcefield import Free, ParameterSpace, Tie, load_potential
from lammpsfit.forcefield.coulomb import COULOMB_SUMS
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FINE, Histogram
from lammpsfit.md.melt import Melting, melted_structure
from lammpsfit.md.potential_text import pair_lines, species_lines
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import _fallen, sample
from lammpsfit.md.sample_file import load_sample, packed, save_sample
from lammpsfit.md.session import session, workplace
from lammpsfit.md.system import System
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Target
from lammpsfit.target.evaluate import Evaluate
from lammpsfit.target.terms.pair_distribution import PairDistribution
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM as BAR
from lammpsfit.units import BOLTZMANN_CONSTANT

SHORT = Protocol(3600.0, relax=0.05, sample=0.08, every_fs=10.0, blocks=4)
FROZEN = replace(SHORT, timestep_fs=1e-9, every_fs=1e-9, relax=0.0, sample=4e-12)
R = 0.02 * (np.arange(300) + 0.5)
KT = BOLTZMANN_CONSTANT * 3600.0
STEP = 1e-3
"""Of the unit cube, for derivatives by difference: changes of parameters by a few 1e-4."""


def take(potential, structure, protocol=SHORT, r=R, seed=5, **options):
    task = partial(sample, potential, protocol, structure, seed, r, **options)
    return run_in_child(task, 60.0)


@dataclass(frozen=True)
class Taken:
    """A sample, the file of its last configuration, and its potential as a point of a space."""

    space: ParameterSpace
    sample: object
    configuration: Path

    @property
    def frames(self):
        return self.sample.frames

    @property
    def u(self):
        return self.space.unit(self.space.base)

    def lammps(self, potential, realisation="combined"):
        """Energy in eV without jumps and pressure in bar of the last configuration, by LAMMPS."""
        with workplace({"start.data": self.configuration}), session() as lmp:
            lines = pair_lines(potential, realisation, Path())
            lmp.commands_string(
                "units metal\natom_style charge\nread_data start.data\n"
                f"{species_lines(potential)}\n{lines}\nrun 0 post no"
            )
            pe, pressure = lmp.get_thermo("pe"), lmp.get_thermo("press")
        return pe - self.frames.jumps(potential)[-1], pressure

    def slopes(self):
        """Derivatives of energy and pressure along every axis, by difference, shape (2, d)."""

        def at(k, h):
            u = self.u + h * np.eye(self.space.dim)[k]
            return np.array(self.lammps(self.space.potential(u)))

        axes = range(self.space.dim)
        return np.transpose([(at(k, STEP) - at(k, -STEP)) / (2 * STEP) for k in axes])


def everything(potential, balance, composition, leave=()):
    """All parameters of a potential that are not zero, but the charge that balances."""
    free = [
        Free(name, value / 1.2, value * 1.2)
        for name, value in potential.parameters.items()
        if value > 0 and name not in {f"q_{balance}", *leave}
    ]
    return ParameterSpace(potential, free, balance=balance, composition=composition)


SILICA = {"Si": 1, "O": 2}


def tied():
    """Ties, a charge of the wrong sign for logarithms, linear and logarithmic scales."""
    base = load_potential("CHIK")
    known = base.parameters
    return ParameterSpace(
        base,
        [
            Free("q_O", -1.2, -0.7, log=False),
            Free("A_Si-O", 20000.0, 40000.0, log=False),
            Free("rho_Si-O", 0.18, 0.22),
            Free("C_O-O", 0.0, 100.0, log=False),
        ],
        [
            Tie("rho_O-O", "rho_Si-O", known["rho_O-O"] / known["rho_Si-O"]),
            Tie("C_Si-Si", "C_O-O", known["C_Si-Si"] / known["C_O-O"]),
        ],
        balance="Si",
        composition=SILICA,
    )


SODIUM = System("Na2SiO3", atoms=300, density=2.0)


def long_ranged(style="pppm", accuracy=1e-5):
    base = load_potential("BKS-Ewald").restricted(("Si", "O"))
    return replace(base, cutoff=8.0, coulomb=COULOMB_SUMS[style](8.0, accuracy))


SPACES = {
    "pppm": lambda: everything(long_ranged(), "O", SILICA, ["rho_Si-Si", "D_Si-O"]),
    "BKS": lambda: everything(load_potential("BKS"), "O", SILICA, ["rho_Si-Si"]),
    "CHIK": lambda: everything(load_potential("CHIK"), "O", SILICA),
    "tied": tied,
    "three species": lambda: everything(
        load_potential("Teter").restricted(SODIUM.species), "O", SODIUM.composition, ["rho_Si-Si"]
    ),
}


@pytest.fixture(scope="module", params=SPACES)
def taken(request, structure, tmp_path_factory):
    space = SPACES[request.param]()
    if request.param == "three species":
        melting = Melting("random", 4500.0, 3600.0, melt=0.3, cool=0.1, relax=0.1)
        structure = melted_structure(space.base, SODIUM, melting)
    found = take(space.base, structure, keep=True)
    path = tmp_path_factory.mktemp("frames") / "end.data"
    path.write_text(found.configuration)
    return Taken(space, found, path)


@pytest.mark.lammps
def test_energies_are_those_of_lammps(taken):
    """To a kT of the whole box, the noise of the bins, and differences of potentials to 1e-3."""
    frames, base = taken.frames, taken.space.base
    potentials = base, taken.space.potential(taken.u + 0.05)
    energies = frames.energies(potentials)
    assert energies.shape == (len(frames), 2) == (8, 2)
    atoms = sum(frames.atoms.values())
    mean = (energies[:, 0] + frames.jumps(base)).mean()
    assert mean == pytest.approx(atoms * taken.sample.energy.mean, abs=KT)
    assert np.ptp(energies[:, 0]) > 10 * KT
    expected = [taken.lammps(potential)[0] for potential in potentials]
    assert energies[-1] == pytest.approx(expected, abs=KT)
    assert np.diff(energies[-1]) == pytest.approx(np.diff(expected), rel=1e-3)
    # the overlay counts the self-energy of its charges as well
    own = sum(
        n * base.coulomb.self_energy(base.species[name].charge) for name, n in frames.atoms.items()
    )
    overlay, _ = taken.lammps(base, "overlay")
    assert energies[-1, 0] == pytest.approx(overlay - own, abs=KT)
    assert (abs(own) > 100 * KT) == base.coulomb.pairwise


@pytest.mark.lammps
@pytest.mark.parametrize("style", ["ewald", "pppm"])
def test_coulomb_energies_scale_with_the_square_of_the_charges(style, structure, tmp_path):
    """Energies and dU/dq as LAMMPS has them at these charges, to 1e-6."""
    base = long_ranged(style, 1e-7)
    q_Si = Free("q_Si", 2.0, 3.0, log=False)
    space = ParameterSpace(base, [q_Si], balance="O", composition=SILICA)
    found = take(base, structure, FROZEN, keep=True)
    path = tmp_path / "end.data"
    path.write_text(found.configuration)
    same, frames = Taken(space, found, path), found.frames
    energies = frames.energies([space.potential([u]) for u in (0.2, 0.9)])[-1]
    expected = [same.lammps(space.potential([u]))[0] for u in (0.2, 0.9)]
    assert np.diff(energies) == pytest.approx(np.diff(expected), rel=1e-6)
    # a sum over pairs has the charges in its curves, and nothing of this energy
    bks, without = load_potential("BKS"), replace(frames, coulomb=None)
    np.testing.assert_array_equal(frames.energies([bks]), without.energies([bks]))
    h = 0.05  # the energy is a parabola: central differences are exact
    up, down = (same.lammps(space.potential(same.u + s * h)) for s in (1, -1))
    slope, push = ((a - b) / (2 * h) for a, b in zip(up, down, strict=True))
    assert frames.gradient(space, same.u)[-1] == pytest.approx(slope, rel=1e-6)
    assert frames.pressure_gradient(space, same.u)[-1] == pytest.approx(push, rel=1e-5)


@pytest.mark.lammps
def test_derivatives_are_those_of_lammps(taken):
    """Of energy and pressure in every parameter, to 1e-3 on the very same atoms.

    Or to 1e-4 kT: the derivative of a core is that small, and made by one close pair.
    """
    frames, space, names = taken.frames, taken.space, taken.space.names
    energy, pressure = taken.slopes()
    small = 1e-4 * KT
    for found, expected, tolerance in (
        (frames.gradient(space, taken.u), energy, small),
        (frames.pressure_gradient(space, taken.u), pressure, 10 * small / frames.volume[0] * BAR),
    ):
        assert found.shape == (len(frames), space.dim)
        assert dict(zip(names, found[-1], strict=True)) == pytest.approx(
            dict(zip(names, expected, strict=True)), rel=1e-3, abs=tolerance
        )
        assert np.ptp(found, axis=0).min() > 0


def test_energies_and_their_derivatives_know_of_no_jump_at_the_cutoff():
    """As the forces of a run: a pair that crosses the cutoff changes nothing."""
    histogram = Histogram.onto(R, 10.0).refined()
    edge = round(8.0 / histogram.dr)
    bks = replace(load_potential("BKS"), cutoff=edge * histogram.dr)
    shifted = replace(bks, smoothing=1e-9)
    space = ParameterSpace(bks, [Free("C_O-O", 100.0, 300.0)])
    u = space.unit(bks)
    k = edge + np.array([-2000, -1, 0, 300])
    counts = np.zeros((len(k), 3, histogram.size), dtype=np.uint8)
    counts[np.arange(len(k)), 2, k] = 1
    frames = Frames(histogram, SILICA, 4600.0, counts, np.zeros(len(k)))
    U, dU = frames.energies([bks])[:, 0], frames.gradient(space, u)[:, 0]
    jump = bks.energy("O-O", np.nextafter(bks.cutoff, 0.0)) - bks.energy("O-O", bks.cutoff)
    assert jump < -5e-4
    assert np.abs(np.diff(U[1:3])) < 1e-3 * abs(jump)
    np.testing.assert_allclose(frames.jumps(bks), [jump, jump, 0.0, 0.0])
    np.testing.assert_allclose(frames.jumps(shifted), 0.0, atol=1e-15)
    np.testing.assert_allclose(U, frames.energies([shifted])[:, 0], atol=1e-12)
    h = 1e-4
    up, down = frames.energies([space.potential(u + s * h) for s in (1, -1)]).T
    np.testing.assert_allclose(dU, (up - down) / (2 * h), rtol=1e-6, atol=1e-12)


def test_a_bin_on_the_cutoff_counts_as_its_neighbours():
    """Not as the step of the energy there, which LAMMPS's pressure does not hold either."""
    histogram = Histogram.onto(R, 8.0).refined()
    k = 4000
    potential = replace(load_potential("BKS"), cutoff=float(histogram.centres[k]))
    space = ParameterSpace(potential, [Free("C_O-O", 100.0, 300.0)])
    counts = np.zeros((2, 3, histogram.size), dtype=np.uint8)
    counts[0, 2, k] = counts[1, 2, k - 1] = 1
    frames = Frames(histogram, SILICA, 4600.0, counts, np.zeros(2))
    on, inside = frames.pressure_gradient(space, np.array([0.5]))[:, 0]
    assert on == pytest.approx(inside, rel=3e-3)


@pytest.mark.lammps
def test_the_last_frame_is_the_configuration_kept(taken):
    """And its pressure is N k_B T / V and the virial of its pairs."""
    frames, base = taken.frames, taken.space.base
    _, pressure = taken.lammps(base)
    assert frames.pressure[-1] == pytest.approx(pressure, abs=1.0)
    assert frames.pressure.mean() == pytest.approx(taken.sample.pressure.mean)
    r = frames.histogram.centres
    virial = sum(
        frames.counts[:, k] @ np.where(frames.counts[:, k].any(axis=0), r * base.slope(pair, r), 0)
        for k, pair in enumerate(frames.pairs)
    )
    coulomb = 0.0 if frames.coulomb is None else frames.coulomb  # goes with the inverse of lengths
    ideal = frames.pressure / BAR * frames.volume + (virial - coulomb) / 3
    # mom yes takes three of the 3 N degrees of freedom
    kinetic = (sum(frames.atoms.values()) - 1) * BOLTZMANN_CONSTANT * taken.sample.temperature.mean
    assert ideal.mean() == pytest.approx(kinetic, rel=2e-3)


@pytest.mark.lammps
def test_g_of_the_frames_is_that_of_the_sample(taken):
    frames, rdf = taken.frames, taken.sample.rdf
    assert frames.pairs == rdf.pairs
    assert frames.g().mean(axis=0) == pytest.approx(rdf.g)
    assert np.array_equal(frames.g(SHORT.blocks), rdf.blocks)
    assert len(frames.histogram.centres) == frames.histogram.size >= FINE
    # every pair of atoms within the cutoff is there once: g is near one far out
    assert rdf.g[:, -50:].mean() == pytest.approx(1.0, abs=0.1)


@pytest.mark.lammps
def test_keeping_changes_nothing_else(problem, structure):
    kept, plain = (take(problem.potential, structure, keep=keep) for keep in (True, False))
    assert (plain.frames, plain.configuration) == (None, None)
    assert (kept.energy, kept.pressure, kept.temperature) == (
        plain.energy,
        plain.pressure,
        plain.temperature,
    )
    # an edge computed in finer steps may differ in the last bit, and a pair lie on it
    assert np.count_nonzero(np.abs(kept.rdf.g - plain.rdf.g) > 1e-9) <= 2
    assert np.abs(kept.rdf.g - plain.rdf.g).sum() < 1e-4 * plain.rdf.g.sum()


@pytest.mark.lammps
def test_a_kept_configuration_is_a_start(taken):
    again = take(taken.space.base, taken.configuration, FROZEN, keep=True)
    frames = taken.frames
    assert again.frames.atoms == frames.atoms
    assert again.frames.volume[0] == pytest.approx(frames.volume[-1])
    assert np.abs(again.frames.counts[0].astype(int) - frames.counts[-1]).sum() <= 4


@pytest.mark.lammps
@pytest.mark.parametrize("by", ["whoever ran it", "whoever keeps it"])
def test_frames_come_back_from_files(taken, tmp_path, by):
    path = tmp_path / "7.npz"
    save_sample(path, packed(taken.sample) if by == "whoever ran it" else taken.sample)
    loaded, frames = load_sample(path).frames, taken.frames
    assert loaded.histogram == frames.histogram
    assert list(loaded.atoms.items()) == list(frames.atoms.items())
    assert np.array_equal(loaded.volume, frames.volume)
    assert np.array_equal(loaded.counts, frames.counts)
    assert loaded.counts.dtype == frames.counts.dtype == np.uint8
    assert np.array_equal(loaded.pressure, frames.pressure)
    assert np.array_equal(
        loaded.gradient(taken.space, taken.u), frames.gradient(taken.space, taken.u)
    )
    assert path.with_suffix(".data").read_text() == taken.sample.configuration
    assert {file.name for file in tmp_path.iterdir()} == {"7.npz", "7.data"}


@pytest.mark.lammps
@pytest.mark.parametrize("weights", [{}, {"O-Si": 3.0, "Si-Si": 0.0}])
def test_residuals_of_the_frames_give_the_cost(problem, structure, weights):
    reference = problem.target.reference.reorder(["Si-Si", "O-Si", "O-O"])
    target = Target(PairDistribution(reference, weights))
    task = Evaluate(problem.potential, SHORT, structure, 5, target, keep=True)
    evaluation = run_in_child(task, 60.0)
    residuals = target.structure.per_frame(evaluation.sample.frames)
    assert residuals.shape == (len(evaluation.sample.frames), reference.g.size)
    assert np.sum(residuals.mean(axis=0) ** 2) == pytest.approx(evaluation.cost.value**2)
    blocks = residuals.reshape(SHORT.blocks, -1, residuals.shape[1]).mean(axis=1)
    g = evaluation.sample.rdf.blocks
    for block, its_g in zip(blocks, g, strict=True):
        alone = target.structure.cost(PartialRdf(evaluation.sample.rdf.pairs, reference.r, its_g))
        assert np.sum(block**2) == pytest.approx(alone.value**2)


@pytest.mark.parametrize(("name", "fallen"), [("BKS", {"O-O"}), ("CHIK", set()), ("ML", set())])
def test_the_hole_of_a_pair_is_what_lies_inside_its_barrier(name, fallen):
    potential = load_potential(name)
    histogram = Histogram.onto(R, 8.0).refined()
    hole, r = _fallen(potential, histogram, 3600.0), histogram.centres
    found = {pair for pair, row in zip(potential.pair_names, hole, strict=True) if row.any()}
    assert found == fallen
    for pair, row in zip(potential.pair_names, hole, strict=True):
        if not row.any():
            continue
        U = potential.energy(pair, r)
        edge = np.flatnonzero(row)[-1]
        assert row[: edge + 1].all()
        # the barrier is the highest point near it, and what it hides is below all outside it
        assert U[edge] == pytest.approx(U[edge - 50 : edge + 50].max(), abs=1e-3)
        assert U[row].min() < U[~row].min()


def with_two_oxygens_at(structure, path, distance):
    """The structure with an oxygen at that distance from its nearest other one."""
    lines = structure.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Atoms")) + 2
    last = next(i for i, line in enumerate(lines) if line.startswith("Velocities")) - 1
    rows = [line.split() for line in lines[first:last]]
    oxygen = [i for i, row in enumerate(rows) if row[1] == "2"]
    x = np.array([rows[i][3:6] for i in oxygen], dtype=float)
    apart = np.linalg.norm(x[1:] - x[0], axis=1)  # within the box: any near one will do
    k = 1 + int(np.argmin(apart))
    moved = x[0] + distance / apart[k - 1] * (x[k] - x[0])
    row = rows[oxygen[k]]
    lines[first + oxygen[k]] = " ".join([*row[:3], *map(repr, moved.tolist()), *row[6:]])
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.lammps
def test_atoms_inside_the_barrier_are_a_collapse(problem, structure, tmp_path):
    """Nothing is lost and nothing hot; the barrier of O-O in BKS is at 1.44 Å."""
    inside, outside = (
        with_two_oxygens_at(structure, tmp_path / f"{d}.data", d) for d in (1.35, 1.5)
    )
    with pytest.raises(RunError, match="collapse: atoms fell into the hole at small r"):
        take(problem.potential, inside, FROZEN)
    take(problem.potential, outside, FROZEN)
    take(problem.load("CHIK"), inside, FROZEN)
