"""Start structures from files: every format gives the same box, and what cannot be is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from ase.spacegroup import crystal

from lammpsfit.child.process import run_in_child
from lammpsfit.config import Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.fit.run.start_system import system_of
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.read_structure import formula_of, read_configuration, true_density
from lammpsfit.structure.neighbours import pairs_within
from lammpsfit.target.evaluate import Evaluate


@pytest.fixture(scope="module")
def quartz():
    """alpha-quartz (L. Levien, C. T. Prewitt and D. J. Weidner, Am. Mineral. 65, 920 (1980))."""
    places = [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.1191 + 2 / 3)]
    return crystal(["Si", "O"], places, spacegroup=154, cellpar=[4.916, 4.916, 5.4054, 90, 90, 120])


WRITERS = {
    "quartz.cif": {"format": "cif"},
    "POSCAR": {"format": "vasp"},
    "q.xyz": {"format": "extxyz"},
    "quartz.data": {
        "format": "lammps-data",
        "atom_style": "charge",
        "masses": True,
        "specorder": ["Si", "O"],
    },
}


@pytest.fixture(scope="module")
def files(quartz, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quartz")
    for name, how in WRITERS.items():
        write(folder / name, quartz, **how)
    return folder


def distances(positions, cell, names):
    """All distances below 4 Å with their species, in order: what any setting of a crystal has."""
    i, j, d = pairs_within(positions, cell, 4.0)
    pairs = ["-".join(sorted((names[a], names[b]))) for a, b in zip(i, j, strict=True)]
    return sorted(zip(pairs, np.round(d, 3).tolist(), strict=True))


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_the_same_crystal(files, quartz, name):
    found = read_configuration(files / name)
    assert formula_of(found) == "SiO2"
    assert true_density(found) == pytest.approx(2.6458, abs=1e-3)
    assert found.volume == pytest.approx(quartz.get_volume(), rel=1e-4)
    names = np.array(found.species)[found.types]
    ours = distances(found.positions, found.cell, names)
    theirs = distances(quartz.positions, quartz.cell[:], quartz.get_chemical_symbols())
    assert [pair for pair, _ in ours] == [pair for pair, _ in theirs]
    assert [d for _, d in ours] == pytest.approx([d for _, d in theirs], abs=3e-3)


def test_a_cell_in_any_setting_is_one_that_lammps_takes():
    rng = np.random.default_rng(2)
    names = ["Si", "O", "O"] * 3
    for _ in range(20):
        cell = rng.standard_normal((3, 3)) * 4 + 6 * np.eye(3)
        positions = rng.random((9, 3)) @ cell
        found = Configuration.of(names, positions, cell)
        assert np.all(np.triu(found.cell, 1) == 0)
        assert np.diag(found.cell).min() > 0
        (xx, _, _), (xy, yy, _), (xz, yz, _) = found.cell
        assert max(abs(xy / xx), abs(xz / xx), abs(yz / yy)) <= 0.5 + 1e-9
        ours = distances(found.positions, found.cell, names)
        theirs = distances(positions, cell, names)
        assert [d for _, d in ours] == pytest.approx([d for _, d in theirs], abs=2e-3)


def test_more_atoms_than_a_job_may_have_are_refused_before_they_are_made(files):
    with pytest.raises(InputError, match="at most 10000000 atoms, got 9 in 1000000000 cells"):
        read_configuration(files / "POSCAR", (1000, 1000, 1000))


def test_a_cell_is_repeated(files):
    one, many = (read_configuration(files / "POSCAR", n) for n in ((1, 1, 1), (2, 3, 1)))
    assert len(many.types) == 6 * len(one.types)
    assert many.volume == pytest.approx(6 * one.volume)
    assert many.species == one.species
    assert true_density(many) == pytest.approx(true_density(one))


DISORDERED = """data_x
_cell_length_a 5
_cell_length_b 5
_cell_length_c 5
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Si1 0 0 0 0.5
O1 0.5 0.5 0.5 1
"""
XYZ = '2\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3{}\nSi 0 0 0\nO {} 0 0\n'
FLAT = "flat\n1.0\n5 0 0\n0 5 0\n0 5 0\nSi O\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (DISORDERED, "must have one species on every site"),
        (XYZ.format(' pbc="T T F"', 2), "periodic in all directions"),
        (2 * XYZ.format("", 2), "one configuration, got 2"),
        (XYZ.format("", 0.3), r"atoms must be 0.5 Å apart, got 0.30 Å between Si 1 and O 2"),
        (XYZ.format("", "nan"), "position of every atom"),
        (XYZ.format("", 2).replace("Si 0", "X 0"), "species must be elements, got 'X'"),
        (XYZ.format("", 2).replace("0 0 5", "0 0 0.3"), "at least 0.5 Å across"),
        (XYZ.format("", 2).replace("0 0 5", "0 0 1e6"), "less than 100000 Å³ for each atom"),
        (FLAT, "box with a volume|cannot be read as POSCAR"),
        (FLAT.replace("Si O\n", ""), "cannot be read as POSCAR"),
        ("x\n\n1 atoms\n1 atom types\n0 5 xlo xhi\n0 5 ylo yhi\n0 5 zlo zhi\n", "have Masses"),
        ("2 atoms of silica\n", "must be a start structure as CIF, LAMMPS data, extended XYZ, POS"),
        ("", "must be a start structure"),
    ],
)
def test_what_is_no_start_is_refused_in_a_line(tmp_path, text, match):
    (tmp_path / "s").write_text(text)
    with pytest.raises(InputError, match=match) as caught:
        read_configuration(tmp_path / "s")
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InputError, match="no such start structure"):
        read_configuration(tmp_path / "gone")


@pytest.fixture
def job_of(job_file, files):
    """Make the job of the tests with another system."""
    content = read_job(job_file).model_dump(exclude_none=True)

    def made(protocol=None, **system):
        changed = {"system": {"file": files / "POSCAR"} | system}
        both = {"protocol": content["protocol"] | (protocol or {})}
        return Job.model_validate(content | changed | both)

    return made


def test_system_and_density_are_those_of_the_file(job_of):
    system, box = system_of(job_of(repeat=(4, 4, 4)).system)
    assert (system.formula, system.atoms) == ("SiO2", 576)
    assert system.density == pytest.approx(2.6458, abs=1e-3)
    assert box.tilted
    turned, box = system_of(job_of(formula="O2Si", repeat=(4, 4, 4)).system)
    assert turned.species == box.species == ("O", "Si")
    assert np.bincount(box.types).tolist() == [384, 192]


@pytest.mark.parametrize(
    ("system", "match"),
    [
        ({"formula": "Si2O3"}, r"formula must be SiO2, as .*POSCAR holds, got Si2O3"),
        ({"atoms": 306}, r"atoms must be 9, as .*POSCAR holds, got 306: leave it out, or repeat"),
        ({"density": 2.2}, r"density must be 2\.646 g/cm³, as .*POSCAR has, got 2\.2"),
        ({}, r"cutoff must be at most half the box \(2\.13 Å for 9 atoms\)"),
    ],
)
def test_a_job_that_says_otherwise_is_refused(job_of, system, match):
    with pytest.raises(InputError, match=match):
        build_problem(job_of(**system))


@pytest.mark.parametrize(
    ("system", "match"),
    [
        ({"structure": "random"}, "file, repeat and melted are for structure = 'file'"),
        ({"file": None}, "formula, atoms, density must be given"),
        ({"file": None, "structure": "file"}, "needs the file: add file"),
        ({"repeat": [2, 2]}, "repeat"),
        ({"repeat": [2, 2, 0]}, "repeat"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(job_of, system, match):
    with pytest.raises(ValueError, match=match):
        job_of(**system)


def test_a_run_folder_holds_the_structure_and_other_conditions_have_their_own(
    job_of, files, tmp_path
):
    content = job_of(repeat=(4, 4, 4)).model_dump(exclude_none=True)
    liquid = {"structure": "random", "formula": "SiO2", "atoms": 306, "density": 2.2}
    cif = {"file": files / "quartz.cif", "repeat": (4, 4, 4)}
    content["also"] = [
        {"name": "liquid", "system": liquid},
        {"name": "cif", "system": cif},
        {"name": "hot", "protocol": {"temperature": 4000.0}},
    ]
    for one in content["also"]:
        one["reference"] = {}
    job = Job.model_validate(content)
    liquid, cif, hot = (one.system for one in job.also)
    assert (liquid.file, liquid.repeat, liquid.structure) == (None, None, "random")
    assert (cif.file.name, cif.formula, cif.structure) == ("quartz.cif", None, "file")
    assert hot == job.system
    folder = create_run(tmp_path / "run", job)
    _, read, _ = open_run(folder.path)
    assert read.system.file == folder.path / "inputs" / "structure-POSCAR"
    assert read.also[1].system.file.name == "structure-quartz-cif.cif"
    assert read.system.file.read_text() == (files / "POSCAR").read_text()


@pytest.mark.lammps
def test_a_crystal_in_a_tilted_box_runs_as_it_is(job_of, problem):
    """Quartz at 300 K keeps its four neighbours, at constant pressure too; nothing is molten."""
    short = {"temperature": 300.0, "relax": 0.0, "sample": 0.08, "ensemble": "npt"}
    crystal = build_problem(job_of(short, repeat=(4, 4, 4)))
    told = []
    start = crystal.melted(tell=told.append)
    assert told == []
    assert re.search(r"xy xz yz", start.read_text())
    assert crystal.melted(tell=told.append) == start  # from the cache, found whole
    target = replace(crystal.target, others=())
    task = Evaluate(crystal.potential, crystal.protocol, start, 5, target, keep=True)
    sample = run_in_child(task, 60.0).sample
    frames = sample.frames
    assert frames.volume[0] == pytest.approx(crystal.box.volume, rel=0.02)
    assert np.ptp(frames.volume) > 0
    r = frames.histogram.centres
    near = frames.counts[:, frames.pairs.index("Si-O"), r < 2.0].sum(axis=1) / frames.atoms["Si"]
    assert near == pytest.approx(4.0)
    assert "xy xz yz" in sample.configuration
    potential = crystal.potential
    energies = (frames.energies([potential])[:, 0] + frames.jumps(potential)) / 576
    assert energies.mean() == pytest.approx(sample.energy.mean, abs=1e-3)


def test_it_is_molten_only_where_asked(job_of):
    molten = build_problem(job_of(repeat=(4, 4, 4), melted=True, melt={"melt": 0.02}))
    assert molten.melting.melt == 0.02
    assert molten.melting.steps > 20
    assert build_problem(job_of(repeat=(4, 4, 4))).melting.steps == 0


def test_atoms_of_a_confirmation_are_those_of_the_file(job_of):
    content = job_of(repeat=(4, 4, 4)).model_dump(exclude_none=True)
    job = Job.model_validate(content | {"confirm": {"atoms": 306}})
    with pytest.raises(InputError, match=r"atoms must be 576, as the start structure holds"):
        build_problem(job).of_size(job.confirm)


def test_gas_in_a_box(tmp_path):
    """Names that are no species of the potential are told by name."""
    write(tmp_path / "a.xyz", Atoms("Ar4", np.eye(4)[:, :3] * 3, cell=[9, 9, 9], pbc=True))
    assert formula_of(read_configuration(tmp_path / "a.xyz")) == "Ar"
