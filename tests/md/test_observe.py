"""Longer runs: what they observe is what LAMMPS and the crystal say."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from ase.build import make_supercell
from ase.io import read as read_structure
from ase.spacegroup import crystal

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.child.process import run_in_child
from lammpsfit.errors import InputError, RunError
from lammpsfit.forcefield import load_potential
from lammpsfit.md import ensemble as ensemble_module
from lammpsfit.md import session as session_module
from lammpsfit.md.observation_file import load_observation, save_observation
from lammpsfit.md.observe import Observe, Part, Quench
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import sample
from lammpsfit.md.solid_file import save_solid
from lammpsfit.structure.observables import Observables
from lammpsfit.structure.rdf import PartialRdf

SHORT = Protocol(3600.0, relax=0.05, sample=0.2, every_fs=10.0, blocks=4)
BONDS = {"Si-O": 2.35}
R = 0.02 * (np.arange(300) + 0.5)


def task(problem, structure, part=Part.LIQUID, protocol=SHORT, **changes):
    potential = load_potential("BKS").restricted(problem.system.species)
    return Observe(part, potential, protocol, structure, 5, BONDS, 0.02, **changes)


def kinds(structure):
    atoms = read_structure(structure, format="lammps-data", sort_by_id=True)
    return [0 if symbol == "Si" else 1 for symbol in atoms.get_chemical_symbols()]


def observe(*arguments, **changes):
    return run_in_child(task(*arguments, **changes), 120.0)


@pytest.fixture(scope="module")
def liquid(problem, structure):
    return observe(problem, structure)


@pytest.fixture(scope="module")
def quartz(tmp_path_factory):
    """3 x 2 x 3 orthogonal cells of alpha-quartz, 324 atoms, 2.648 g/cm³ at ambient conditions.

    L. Levien, C. T. Prewitt and D. J. Weidner, Am. Mineral. 65, 920 (1980).
    """
    places = [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.1191 + 2 / 3)]
    lengths = [4.916, 4.916, 5.4054, 90, 90, 120]
    cell = crystal(["Si", "O"], places, spacegroup=154, cellpar=lengths)
    atoms = make_supercell(cell, [[1, 0, 0], [1, 2, 0], [0, 0, 1]]).repeat((3, 2, 3))
    kinds = {"Si": (1, 28.0855, 2.4), "O": (2, 15.9994, -1.2)}
    lines = ["quartz", "", f"{len(atoms)} atoms", "2 atom types", ""]
    lines += [f"0.0 {atoms.cell[k, k]} {x}lo {x}hi" for k, x in enumerate("xyz")]
    lines += ["", "Masses", "", *(f"{k} {mass}" for k, mass, _ in kinds.values())]
    lines += ["", "Atoms # charge", ""]
    for i, atom in enumerate(atoms, 1):
        kind, _, charge = kinds[atom.symbol]
        lines.append(f"{i} {kind} {charge} {atom.x} {atom.y} {atom.z}")
    path = tmp_path_factory.mktemp("quartz") / "quartz.data"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.lammps
def test_the_structure_is_that_of_an_evaluation(problem, structure, liquid):
    """The same seed gives the same run, counted here from positions, there by LAMMPS."""
    potential = load_potential("BKS").restricted(problem.system.species)
    theirs = run_in_child(partial(sample, potential, SHORT, structure, 5, R), 60.0)
    for pair in theirs.rdf.pairs:
        expected = theirs.rdf.reorder([pair]).g[0]
        found = liquid.structure.rdf.reorder([pair]).g[0, : R.size]
        off = np.abs(found - expected) > 1e-6 * (1 + expected)
        assert np.count_nonzero(off) <= 4  # a pair on the edge of a bin may fall either way
        assert expected.max() > 2
    for name in ("pressure", "energy", "temperature"):
        expected = getattr(theirs, name)
        assert liquid.series.estimate(name).mean == pytest.approx(expected.mean, rel=1e-6)
    assert liquid.series.density == pytest.approx(2.2, abs=1e-4)
    assert liquid.series.drift("energy").mean == pytest.approx(theirs.energy_drift.mean, rel=1e-4)


@pytest.mark.lammps
def test_silicon_has_four_bonds_and_moves(liquid):
    coordination, angles = liquid.structure.bonding
    around = {one.centre: one.number.mean for one in coordination}
    assert around["Si"] == pytest.approx(4, abs=0.3)
    assert around["Si"] == pytest.approx(2 * around["O"])
    assert angles.triples == ("O-Si-O", "Si-O-Si")
    for triple, p in zip(angles.triples, angles.p, strict=True):
        counts = liquid.structure.angle_blocks(triple).sum(axis=0)
        assert p == pytest.approx(counts / counts.sum())
    assert 0.1 < liquid.displacements["Si"].mean[-1] < 5
    # the first 10 fs are a free flight: MSD = 3 kT/m t², less what bonds take away
    flight = 3 * 8.314462618e-1 * 3600 / 28.0855 * 0.01**2
    assert 0.5 * flight < liquid.displacements["Si"].mean[1] < 1.1 * flight


@pytest.mark.lammps
def test_the_file_holds_all_of_it(liquid, tmp_path):
    path = tmp_path / "one.npz"
    save_observation(path, liquid)
    read = load_observation(path)
    assert list(tmp_path.iterdir()) == [path]
    for name in ("temperature", "pressure", "energy", "density"):
        assert np.array_equal(getattr(read.series, name), getattr(liquid.series, name))
    ours, theirs = liquid.structure, read.structure
    assert np.array_equal(ours.rdf.blocks, theirs.rdf.blocks)
    assert np.array_equal(ours.factors.blocks, theirs.factors.blocks)
    assert np.array_equal(ours.factors.q, theirs.factors.q)
    assert ours.numbers == theirs.numbers
    assert ours.cutoffs == theirs.cutoffs
    assert [c.number for c in ours.bonding[0]] == [c.number for c in theirs.bonding[0]]
    assert np.array_equal(ours.bonding[1].p, theirs.bonding[1].p)
    for name, moved in liquid.displacements.items():
        assert read.displacements[name].coefficient == moved.coefficient
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"one\.npz: cannot be read .* remove it"):
        load_observation(path)


@pytest.mark.lammps
def test_quartz_keeps_its_density_at_zero_pressure(problem, quartz):
    protocol = Protocol(300.0, relax=1.5, sample=1.5, every_fs=10.0, blocks=5)
    found = observe(problem, quartz, Part.DENSITY, protocol)
    assert found.structure is None
    assert not found.displacements
    # BKS: a = 4.941, c = 5.449 Å (B. W. H. van Beest, G. J. Kramer and R. A. van Santen,
    # Phys. Rev. Lett. 64, 1955 (1990), at 0 K and with Ewald sums), 2.598 g/cm³
    assert found.series.estimate("density").mean == pytest.approx(2.598, rel=0.04)
    assert abs(found.series.estimate("pressure").mean) < 5000
    assert found.series.estimate("temperature").mean == pytest.approx(300, abs=30)


@pytest.mark.lammps
def test_a_squeezed_liquid_swells(problem, structure, tmp_path):
    """Nothing but the barostat makes up for a box that is too small."""
    start = structure.read_text().split("Velocities")[0]
    edge = float(next(x for x in start.splitlines() if "xlo xhi" in x).split()[1])
    small = start.replace(f"{edge:.16g}", f"{0.95 * edge:.16g}")
    head, rows = small.split("Atoms # charge\n\n")
    scaled = []
    for row in rows.strip().splitlines():
        *first, x, y, z, _, _, _ = row.split()
        scaled.append(" ".join([*first, *(str(0.95 * float(value)) for value in (x, y, z))]))
    path = tmp_path / "squeezed.data"
    path.write_text(f"{head}Atoms # charge\n\n" + "\n".join(scaled) + "\n")
    protocol = replace(SHORT, sample=0.6, relax=0.0)
    found = observe(problem, path, Part.DENSITY, protocol)
    density = found.series.density
    assert density[0] == pytest.approx(2.2 / 0.95**3, rel=0.03)
    assert density[-1] < 0.97 * density[0]
    assert found.series.drift("density").mean < 0


@pytest.mark.lammps
def test_a_glass_is_cold_and_sharper_than_the_liquid(problem, structure, liquid, tmp_path):
    protocol = replace(SHORT, relax=0.2)
    glass = task(problem, structure, Part.GLASS, protocol, quench=Quench(3300.0))
    assert glass.quench.steps(protocol) == 1000
    assert glass.steps == 200 + 1000 + 200 + 200
    found = run_in_child(glass, 120.0)
    assert found.series.estimate("temperature").mean < 700
    assert not found.displacements
    row = found.structure.rdf.pairs.index("Si-O")
    assert found.structure.rdf.g[row].max() > 1.5 * liquid.structure.rdf.g[row].max()
    assert found.solid.species == tuple(("Si", "O")[k] for k in kinds(structure))
    # silica has 78 and 31 GPa; so fast a quench leaves it in a rough state
    assert 40 < found.solid.stiffness[:3, :3].diagonal().mean() < 160
    assert 10 < found.solid.stiffness[3:, 3:].diagonal().mean() < 60
    save_observation(tmp_path / "one.npz", found)
    read = load_observation(tmp_path / "one.npz")
    assert read.solid.species == found.solid.species
    for name in ("positions", "cell", "stiffness"):
        assert np.array_equal(getattr(read.solid, name), getattr(found.solid, name))
    counts = [(n.bridging.tolist(), n.rings.tolist()) for n in found.structure.network]
    assert [(n.bridging.tolist(), n.rings.tolist()) for n in read.structure.network] == counts
    assert found.structure.formers == ("Si",)
    save_solid(tmp_path / "glass", found.solid, glass.potential)
    for end, options in (("extxyz", {}), ("data", {"format": "lammps-data"})):
        atoms = read_structure(tmp_path / f"glass.{end}", **options)
        assert atoms.get_volume() == pytest.approx(np.linalg.det(found.solid.cell))
        assert atoms.get_chemical_symbols().count("Si") * 3 == len(atoms)
    density = read.series.density
    assert density == pytest.approx(2.2, abs=1e-4)


@pytest.mark.lammps
def test_a_glass_under_pressure_has_the_box_of_its_mean_density(problem, structure):
    """10 GPa make silica denser; structure and stiffness are those at that density."""
    protocol = replace(SHORT, relax=0.1)
    glass = task(problem, structure, Part.GLASS, protocol, quench=Quench(6600.0, 300.0, 1e5))
    assert glass.steps == 100 + 500 + 100 + 200 + 100 + 200
    found = run_in_child(glass, 120.0)
    density = found.series.density
    assert np.ptp(density) > 0
    assert density.mean() > 2.3
    masses = {"Si": 28.085, "O": 15.999}
    mass = sum(masses[name] for name in found.solid.species)
    in_box = mass / np.linalg.det(found.solid.cell) / 0.602214076
    # the mean of the density is not quite that of the volume
    assert in_box == pytest.approx(density.mean(), rel=1e-3)


@pytest.mark.lammps
def test_cooling_is_one_ramp_whatever_the_chunks(problem, structure, monkeypatch):
    """The thermostat goes down once, not anew in every chunk of steps."""
    seen = []
    check = session_module.check_temperature

    def watched(lmp, target):
        seen.append(check(lmp, target))
        return seen[-1]

    monkeypatch.setattr(session_module, "check_temperature", watched)
    monkeypatch.setattr(session_module, "CHECK_STEPS", 100)
    protocol = replace(SHORT, relax=0.0)
    task(problem, structure, Part.GLASS, protocol, quench=Quench(1650.0))()
    cooling, cold = seen[:20], seen[20:]  # 2 ps of 1650 K/ps, then what is sampled
    third = [np.mean(part) for part in np.array_split(cooling, 3)]
    assert third[0] > 2300
    assert third[0] - 500 > third[1] > third[2] + 500
    assert cold
    assert max(cold) < third[2]


@pytest.mark.lammps
def test_a_collapse_is_no_structure(problem, structure):
    weak = load_potential("BKS").restricted(problem.system.species)
    weak = weak.replace({"A_Si-O": 0.4 * weak.parameters["A_Si-O"]})
    broken = replace(task(problem, structure), potential=weak)
    with pytest.raises(RunError, match="the run failed"):
        run_in_child(broken, 120.0)


@pytest.mark.lammps
def test_a_box_that_grows_without_end_holds_no_liquid(problem, structure, monkeypatch):
    monkeypatch.setattr(ensemble_module, "BOILED", 0.5)
    with pytest.raises(SimulationError, match="boils") as caught:
        task(problem, structure, Part.DENSITY)()
    assert caught.value.failure.reason == Reason.RUNAWAY


@pytest.mark.parametrize(
    ("rate", "temperature", "message"),
    [
        (0.0, 300.0, r"rate of a quench must be positive \(K/ps\), got 0.0"),
        (float("nan"), 300.0, "rate of a quench must be positive"),
        (1e308, 300.0, r"rate of a quench must be at most 100000 K/ps, got 1e\+308"),
        (10.0, -1.0, r"temperature of a quench must be positive \(K\), got -1.0"),
    ],
)
def test_wrong_quenches_are_refused(rate, temperature, message):
    with pytest.raises(InputError, match=message):
        Quench(rate, temperature)


@pytest.mark.parametrize("pressure", [float("nan"), float("inf"), 1e10])
def test_wrong_pressures_of_quenches_are_refused(pressure):
    with pytest.raises(InputError, match="the pressure of a quench must be between"):
        Quench(10.0, 300.0, pressure)


def test_a_quench_goes_down():
    with pytest.raises(InputError, match=r"must begin above its end \(4000 K\), got 3600 K"):
        Quench(10.0, 4000.0).steps(SHORT)
    assert Quench(10.0).steps(SHORT) == 330_000


def test_a_pair_in_the_hole_is_a_collapse(problem, structure):
    """O-O of BKS has a barrier at 1.44 Å, with a deep well inside."""
    one = task(problem, structure)
    r = 0.02 * (np.arange(300) + 0.5)

    def of(g):
        rdf = PartialRdf(("O-O",), r, g[None])
        return Observables({"O": 200}, {}, rdf, None, ())

    one.check_fallen(of(np.where(r > 1.5, 1.0, 0.0)))
    with pytest.raises(SimulationError, match="O-O fell into the hole") as caught:
        one.check_fallen(of(np.where((r > 1.5) | (np.abs(r - 1.0) < 0.015), 1.0, 0.0)))
    assert caught.value.failure.reason == Reason.COLLAPSE
