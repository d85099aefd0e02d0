"""Forces, stresses and energies of given configurations, and their derivatives."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lammpsfit.child.failure import SimulationError
from lammpsfit.config import FramesTable, TermTables
from lammpsfit.errors import InputError
from lammpsfit.forcefield import Free, ParameterSpace, load_potential
from lammpsfit.forcefield.lammps_text import charge_lines, mass_lines, overlay_pair_lines
from lammpsfit.labelled.frame import Frame
from lammpsfit.labelled.frames import write_frames
from lammpsfit.models import checked
from lammpsfit.target import Setting, Target, build_terms
from lammpsfit.target.label_terms import LabelledFrames, label_terms
from lammpsfit.target.pair_sums import PairSums
from lammpsfit.target.terms.pair_distribution import PairDistribution
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

QUARTZ = Path(__file__).parents[2] / "examples" / "silica" / "alpha_quartz.cif"
KINDS = {"forces": 0.2, "stress": 5000.0, "energy": 0.01}


def shaken(seed, times=1):
    """Quartz with its atoms moved, as many cells along each axis; smaller than any cutoff."""
    atoms = ase.io.read(QUARTZ)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * np.diag([1.0, -1.0, 0.5])), scale_atoms=True)
    atoms.rattle(0.15, seed=seed)
    atoms = atoms.repeat(times)
    return Frame(
        tuple(atoms.get_chemical_symbols()),
        atoms.positions,
        np.array(atoms.cell),
        (True,) * 3,
        label=f"quartz {seed}",
    )


def labelled(*frames):
    """Frames with labels of no potential."""
    rng = np.random.default_rng(3)
    return LabelledFrames(
        "dft",
        tuple(
            replace(
                frame,
                energy=-7.0 * len(frame) + rng.normal(),
                forces=rng.normal(size=(len(frame), 3)),
                stress=0.05 * rng.normal(size=6),
            )
            for frame in frames
        ),
    )


@pytest.fixture(scope="module")
def space():
    """Of CHIK: charges, walls, and what is tied to nothing."""
    potential = load_potential("CHIK")
    free = [Free("q_Si", 1.2, 2.8), Free("A_Si-O", 1e4, 4e4), Free("rho_O-O", 0.2, 0.5)]
    return ParameterSpace(potential, free, balance="O", composition={"Si": 1, "O": 2})


@pytest.fixture(scope="module")
def terms(space):
    frames = labelled(*(shaken(seed) for seed in range(4)))
    return tuple(label_terms(frames, KINDS, space.base))


def test_jacobians_are_the_derivatives_of_residuals(terms, space):
    u, step = np.array([0.4, 0.5, 0.6]), 1e-5
    for term in terms:
        J = term.jacobian(space, u)
        assert J.shape == (len(term.residuals(space.potential(u))), 3)
        for k, e in enumerate(np.eye(3) * step):
            up, down = (term.residuals(space.potential(u + s * e)) for s in (1, -1))
            difference = (up - down) / (2 * step)
            assert J[:, k] == pytest.approx(difference, abs=1e-6 * np.abs(J).max()), term.name


def test_forces_are_the_slope_of_the_energy(space):
    frame, step = shaken(1), 1e-5
    forces = PairSums([frame], 10.0).forces(space.base).reshape(-1, 3)

    def energy(positions):
        return PairSums([replace(frame, positions=positions)], 10.0).energies(space.base)[0]

    for atom, axis in ((0, 0), (4, 1), (8, 2)):
        moved = np.zeros_like(frame.positions)
        moved[atom, axis] = step
        slope = energy(frame.positions + moved) - energy(frame.positions - moved)
        assert forces[atom, axis] == pytest.approx(-slope / (2 * step), abs=1e-6)
    assert forces.sum(axis=0) == pytest.approx(0.0, abs=1e-10)


def test_the_stress_is_the_slope_of_the_energy_with_strain(space):
    frame, step = shaken(2), 1e-6
    stress = PairSums([frame], 10.0).stresses(space.base)

    def energy(strain):
        strained = np.eye(3) + strain
        moved = replace(frame, positions=frame.positions @ strained, cell=frame.cell @ strained)
        return PairSums([moved], 10.0).energies(space.base)[0]

    for k, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strain = np.zeros((3, 3))
        strain[i, j] += step / 2
        strain[j, i] += step / 2
        slope = (energy(strain) - energy(-strain)) / (2 * step * frame.volume)
        assert stress[k] == pytest.approx(slope, abs=1e-7)


def test_small_cells_are_what_their_supercells_are(space):
    small, large = (PairSums([shaken(5, times)], 10.0) for times in (1, 3))
    forces = small.forces(space.base).reshape(-1, 3)
    assert np.sqrt((forces**2).mean()) > 1.0
    assert large.forces(space.base).reshape(27, -1, 3) == pytest.approx(
        np.broadcast_to(forces, (27, 9, 3)), abs=1e-9
    )
    assert large.stresses(space.base) == pytest.approx(small.stresses(space.base), abs=1e-11)
    assert large.energies(space.base) == pytest.approx(27 * small.energies(space.base))


def test_a_set_of_frames_is_its_frames(space):
    frames = [shaken(1), shaken(2, 2), shaken(3)]
    together = PairSums(frames, 10.0)
    for of in ("forces", "stresses", "energies"):
        one_by_one = [getattr(PairSums([frame], 10.0), of)(space.base) for frame in frames]
        assert getattr(together, of)(space.base) == pytest.approx(np.concatenate(one_by_one))


LAMMPS = """
units metal
atom_style charge
boundary p p p
box tilt large
read_data cell.data
{lines}
neighbor 0.3 bin
thermo_style custom pe pxx pyy pzz pyz pxz pxy
thermo_modify format float %.15g
run 0
dump end all custom 1 forces.txt fx fy fz
dump_modify end sort id format float %.15g
run 0
"""


DATA = """quartz

{n} atoms
{kinds} atom types
0 {lx!r} xlo xhi
0 {ly!r} ylo yhi
0 {lz!r} zlo zhi
{xy!r} 0 0 xy xz yz

Atoms # charge

{rows}
"""


@pytest.mark.lammps
def test_forces_and_stress_are_those_of_lammps(tmp_path):
    """In a cell half as long as the cutoff, its axes at 120 degrees; styles without tables."""
    base = load_potential("BKS")
    pairs = {
        pair: tuple(term for term in terms if not term.form.core)
        for pair, terms in base.pairs.items()
    }
    # with damping, LAMMPS takes erfc from a polynomial that is good to 1e-7
    coulomb = replace(base.coulomb, alpha=0.0)
    potential, frame = replace(base, pairs=pairs, coulomb=coulomb), shaken(7)
    kinds = [list(potential.species).index(symbol) + 1 for symbol in frame.symbols]
    (lx, _, _), (xy, ly, _), (_, _, lz) = frame.cell.tolist()
    rows = [
        f"{n} {kind} 0 {x!r} {y!r} {z!r}"
        for n, (kind, (x, y, z)) in enumerate(zip(kinds, frame.positions.tolist(), strict=True), 1)
    ]
    data = DATA.format(n=9, kinds=2, lx=lx, ly=ly, lz=lz, xy=xy, rows="\n".join(rows))
    (tmp_path / "cell.data").write_text(data)
    lines = [*mass_lines(potential), *charge_lines(potential)]
    lines += overlay_pair_lines(potential, "no.table")
    (tmp_path / "in.forces").write_text(LAMMPS.format(lines="\n".join(lines)))
    lmp = Path(sys.executable).with_name("lmp")
    run = subprocess.run(
        [lmp, "-in", "in.forces"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:]
    found = (tmp_path / "forces.txt").read_text().split("fx fy fz")[-1]
    forces = np.array([[float(x) for x in row.split()] for row in found.strip().splitlines()])
    table = run.stdout.split("PotEng")[-1].splitlines()[1].split()
    pressure = np.array([float(x) for x in table[1:]])
    sums = PairSums([frame], potential.outer_cutoff)
    ours = sums.forces(potential).reshape(-1, 3)
    assert np.abs(ours).max() > 3.0
    assert ours == pytest.approx(forces, abs=1e-6)
    # the virial of so few atoms in bar has eight digits before the point: 1e-9 eV/Å³
    stress = sums.stresses(potential)
    assert stress == pytest.approx(-pressure / BAR_PER_EV_PER_CUBIC_ANGSTROM, abs=1e-7)


def test_constants_of_the_species_do_not_count(space):
    """Labels of another code have other zeros of energy, one for each species."""
    known = labelled(*(shaken(seed) for seed in range(3)))
    (term,) = label_terms(known, {"energy": 0.01}, space.base)
    zero = LabelledFrames(
        "dft", tuple(replace(f, energy=f.energy + 3 * 12.5 - 6 * 4.0) for f in known.frames)
    )
    (moved,) = label_terms(zero, {"energy": 0.01}, space.base)
    assert moved.residuals(space.base) == pytest.approx(term.residuals(space.base))
    assert term.differences == 2


def test_deviations_are_errors_in_units_of_per_percent(terms, space):
    """So that an rms error of per_percent is 0.01, as R = 1 % is."""
    potential = space.base
    for term in terms:
        y = term.residuals(potential)
        sample = Kept(term.name, term.kept(potential, 3))
        assert term.deviation(sample).mean == pytest.approx(np.linalg.norm(y))
        assert term.deviation(sample).error == pytest.approx(0.0, abs=1e-12)
        assert term.value(sample).mean == pytest.approx(100 * term.per_percent * np.linalg.norm(y))
    forces = terms[0]
    errors = PairSums(forces.labelled.ordered, potential.outer_cutoff).forces(potential)
    errors -= np.concatenate([f.forces.ravel() for f in forces.labelled.ordered])
    assert 100 * 0.2 * np.linalg.norm(forces.residuals(potential)) == pytest.approx(
        np.sqrt(np.mean(errors**2))
    )


class Kept:
    """As much of a sample as a term that needs no run looks at."""

    def __init__(self, name, values):
        self.observed = {name: values}


def test_terms_travel_to_the_worker_without_their_sums(terms, space):
    before = [term.residuals(space.base) for term in terms]
    there = pickle.loads(pickle.dumps(terms))
    assert not there[0].labelled._sums
    for term, y in zip(there, before, strict=True):
        assert np.array_equal(term.residuals(space.base), y)
    assert there[0].labelled is there[1].labelled


@pytest.fixture(scope="module")
def wanting(tmp_path_factory, problem):
    """Tables of labelled quartz and of quartz at rest, with the setting of the small job."""
    path = tmp_path_factory.mktemp("frames") / "quartz.extxyz"
    write_frames(path, labelled(*(shaken(seed) for seed in range(4))).frames)
    tables = {"frames": [{"file": path, "fit": list(KINDS)}], "crystal": [{"file": QUARTZ}]}
    return tables, Setting(problem.potential, problem.system, problem.protocol)


def built(tables, setting):
    return build_terms(TermTables.model_validate(tables), setting)


def test_tables_make_terms(wanting):
    tables, setting = wanting
    terms = built(tables, setting)
    names = ["forces frames", "stress frames", "energy frames", "forces crystal", "stress crystal"]
    assert [term.name for term in terms] == names
    assert [term.column.unit for term in terms] == ["eV/Å", "GPa", "meV/atom", "eV/Å", "GPa"]
    words = "stress frames: an rms error of 0.5 GPa counts as much as R = 1 %"
    assert terms[1].column.words == words
    assert [term.gas == 0 for term in terms] == [False, False, False, True, True]
    # BKS has quartz at rest, nearly: van Beest, Kramer and van Santen fitted to it
    sums = PairSums(terms[3].labelled.frames, setting.potential.outer_cutoff)
    assert np.abs(sums.forces(setting.potential)).max() < 1.5


def test_one_kind_needs_no_list():
    assert FramesTable(file="a.xyz", fit="energy").fit == ("energy",)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"fit": ["force"]}, "fit"),
        ({"fit": []}, "fit"),
        ({"fit": ["forces", "forces"]}, "must name each thing once, got 'forces' twice"),
        ({"file": "gone.extxyz"}, "gone.extxyz"),
        ({"skip": 4}, "leave none"),
        ({"fit": ["energy"], "skip": 3}, "energies count as differences only, and 1 frames"),
        ({"forces_per_percent": 0.0}, "greater than 0"),
    ],
)
def test_tables_that_cannot_be_are_refused(wanting, change, match):
    tables, setting = wanting
    wrong = {"frames": [tables["frames"][0] | change]}
    with pytest.raises(InputError, match=match):
        build_terms(checked(TermTables, wrong, "job"), setting)


@pytest.mark.parametrize(
    ("symbols", "match"),
    [
        (["Al", "O", "O"], r"frame 1: has Al, but the potential here is one of Si, O"),
        (["Si", "Si", "O"], r"of O1 Si2 must add up to zero.* leave .*frame 1 out"),
    ],
)
def test_frames_of_another_system_are_refused(wanting, symbols, match, tmp_path):
    _, setting = wanting
    atoms = Atoms(symbols, np.diag([0.0, 2.0, 4.0]), cell=6 * np.eye(3), pbc=True)
    atoms.set_array("REF_forces", np.zeros((3, 3)))
    ase.io.write(tmp_path / "other.extxyz", atoms)
    with pytest.raises(InputError, match=match):
        built({"frames": [{"file": tmp_path / "other.extxyz"}]}, setting)


def test_a_label_that_is_not_there_is_named(wanting, tmp_path):
    _, setting = wanting
    frame = replace(labelled(shaken(1)).frames[0], stress=None)
    write_frames(tmp_path / "few.extxyz", [frame])
    with pytest.raises(InputError, match=r"frame 1: has no stress to fit to, only energy and for"):
        built({"frames": [{"file": tmp_path / "few.extxyz", "fit": ["stress"]}]}, setting)


def test_an_ewald_sum_is_refused(wanting):
    """At the start, and where a potential is to be compared."""
    tables, setting = wanting
    ewald = load_potential("BKS-Ewald").restricted(setting.potential.species)
    with pytest.raises(InputError, match=r"need a Coulomb sum over pairs.*but BKS-Ewald has"):
        built(tables, replace(setting, potential=ewald))
    target = Target(object.__new__(PairDistribution), built(tables, setting))
    target.check(setting.potential)
    with pytest.raises(InputError, match="frames: forces and stresses need a Coulomb sum"):
        target.check(ewald)


def test_two_sets_need_names_of_their_own(wanting, problem):
    tables, setting = wanting
    table = tables["frames"][0]
    terms = built({"frames": [table, table | {"name": "more"}]}, setting)
    assert len(Target(problem.target.structure, terms).static) == 6
    with pytest.raises(InputError, match="want each thing once, got forces frames twice"):
        Target(problem.target.structure, built({"frames": [table, table]}, setting))


def test_a_potential_that_is_not_finite_there_fails_its_evaluation(terms, space):
    broken = space.base.replace({"A_Si-O": 1e15, "rho_Si-O": 1e-300})
    with np.errstate(all="ignore"), pytest.raises(SimulationError, match="not a number: in forces"):
        terms[0].kept(broken, 2)
