"""The pair style is the calculator: any atoms, cells, species and ranks, and in dynamics."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.gap.covariance import kernel
from lammpsfit.gap.gp import describe
from lammpsfit.gap.lammps.posterior import errors_at_atoms, posterior_at_atoms
from lammpsfit.gap.lammps.run import compute, run_input, upright
from lammpsfit.gap.predict import predict
from lammpsfit.gap.variance import prediction_errors
from lammpsfit.labelled.frames import Frame

pytestmark = pytest.mark.lammps

TWO_RANKS = (str(Path(sys.executable).with_name("mpiexec")), "-n", "2")


def repeated(frame, times, rng):
    """A larger cell, atoms shaken and species mixed."""
    shifts = np.stack(np.meshgrid(*map(np.arange, times), indexing="ij"), -1).reshape(-1, 3)
    positions = (shifts @ frame.cell)[:, None] + frame.positions
    positions = positions.reshape(-1, 3) + rng.normal(0.0, 0.15, (len(frame) * len(shifts), 3))
    symbols = tuple(rng.permutation(frame.symbols * len(shifts)).tolist())
    cell = frame.cell * np.array(times)[:, None]
    return replace(frame.unlabelled(), symbols=symbols, positions=positions, cell=cell)


def sheared(frame, rng):
    F = np.eye(3) + rng.normal(0.0, 0.1, (3, 3))
    return replace(frame.unlabelled(), positions=frame.positions @ F, cell=frame.cell @ F)


CASES = {
    "small": lambda small, rng: small.frame(11).unlabelled(),
    "sheared": lambda small, rng: sheared(small.frame(12), rng),
    "hot": lambda small, rng: repeated(small.frame(13), (3, 2, 2), rng),
    "one species": lambda small, rng: replace(small.frame(14).unlabelled(), symbols=("Ni",) * 3),
    "thin": lambda small, rng: Frame(
        ("Al", "Ni", "Al"), [[0, 0, 0], [2.2, 0, 0], [9, 9, 9]], 14 * np.eye(3), (True,) * 3
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_calculator(exported, small, rng, case):
    frame = upright(CASES[case](small, rng))
    found = compute(exported.lammps, exported.folder, frame, exported.model.species)
    ours, n = predict(exported.model, frame), len(frame)
    assert found.energy == pytest.approx(ours.energy, abs=1e-8 * n)
    np.testing.assert_allclose(found.energies, ours.energies, atol=1e-8)
    np.testing.assert_allclose(found.forces, ours.forces, atol=1e-7)
    virial = (found.stress - ours.stress) * frame.volume / n
    np.testing.assert_allclose(virial, 0.0, atol=1e-7)


def test_two_ranks_are_one(exported, small, rng):
    frame = upright(repeated(small.frame(15), (3, 2, 2), rng))
    one, two = (
        compute(exported.lammps, exported.folder, frame, exported.model.species, True, launcher)
        for launcher in ((), TWO_RANKS)
    )
    assert two.energy == pytest.approx(one.energy, rel=1e-12)
    np.testing.assert_allclose(two.forces, one.forces, atol=1e-10)
    np.testing.assert_allclose(two.stress, one.stress, atol=1e-12)
    np.testing.assert_allclose(two.errors, one.errors, rtol=1e-6, atol=1e-9)


def test_errors_are_those_of_the_posterior_at_the_chosen_atoms(exported, small):
    model, frame = exported.model, upright(small.frame(16).unlabelled())
    found = compute(exported.lammps, exported.folder, frame, model.species, errors=True)
    posterior = posterior_at_atoms(model)
    forces = np.linalg.norm(errors_at_atoms(model, posterior, frame), axis=1)
    np.testing.assert_allclose(found.errors[:, 0], forces, rtol=1e-6)

    labelled = replace(frame, energy=0.0)
    args = model.descriptors, model.parameters, model.hyper, model.offsets
    (one,) = describe([labelled], *args)
    z, species = np.asarray(one.features.z)[:3], np.asarray(one.features.species)[:3]
    variance = model.hyper.amplitude**2
    k = variance * np.asarray(kernel(z, posterior.z, species, posterior.species)).T
    told = (np.linalg.solve(posterior.prior, k) ** 2).sum(axis=0)
    left = (np.linalg.solve(posterior.posterior, k) ** 2).sum(axis=0)
    np.testing.assert_allclose(found.errors[:, 1], np.sqrt(variance - told + left), rtol=1e-6)


def test_errors_are_never_below_the_exact_ones_and_near_them(small):
    """The fewer atoms they go by, the larger they are."""
    model, frame = small.model, small.frame(17).unlabelled()
    _, exact, _ = prediction_errors(model, frame)
    few, all_of_them = (
        errors_at_atoms(model, posterior_at_atoms(model, count), frame) for count in (4, 9)
    )
    assert np.all(all_of_them > 0.999 * exact)
    assert all_of_them.mean() < 1.5 * exact.mean()
    assert few.mean() > all_of_them.mean()


RUN = """
units metal
atom_style atomic
atom_modify map array
read_data {structure}
variable potential_dir index {folder}
include {folder}/potential.lmp
neighbor 1.0 bin
timestep 0.001
thermo_style custom step pe ke etotal press
thermo_modify format float %.15g norm no
"""

NVE = """
velocity all create 600 5 mom yes rot no dist gaussian loop geom
fix 1 all nve
thermo 10
run {steps}
"""


def thermo(said):
    """Return the numbers of the last run of a log, shape (lines, columns)."""
    table = said[said.rindex("   Step") :].splitlines()[1:]
    rows = [line.split() for line in table[: next(k for k, x in enumerate(table) if "Loop" in x)]]
    return np.array(rows, dtype=float)


@pytest.fixture
def crystal(metal, tmp_path):
    """A folder with a link to the potential, and a crystal at rest of 108 atoms."""
    (tmp_path / "al").symlink_to(metal.folder)
    text = "lattice fcc 4.0\nregion box block 0 3 0 3 0 3\ncreate_box 1 box\ncreate_atoms 1 box"
    return tmp_path, RUN.format(structure="X", folder="al").replace("read_data X", text)


def run(metal, folder, text):
    (folder / "in.test").write_text(text)
    return run_input(metal.lammps, folder, "in.test")


def test_energy_is_conserved(metal, crystal):
    """The drift is the slope of the total energy, in units of eV per atom and ps."""
    folder, setup = crystal
    rows = thermo(run(metal, folder, setup + NVE.format(steps=2000)))[20:]
    time, total = rows[:, 0] / 1000.0, rows[:, 3] / 108
    assert np.ptp(rows[:, 2]) > 0.5, "the atoms move"
    assert abs(np.polyfit(time, total, 1)[0]) < 1e-5


def test_a_restart_and_a_data_file_go_on(metal, crystal):
    folder, setup = crystal
    first = setup + NVE.format(steps=30) + "write_restart r\nwrite_data d\nrun 30\n"
    whole = thermo(run(metal, folder, first))
    start = RUN.format(structure="d", folder="al")
    for begin in (start.replace("read_data d", "read_restart r"), start):
        again = thermo(run(metal, folder, begin + "fix 1 all nve\nthermo 10\nrun 30\n"))
        np.testing.assert_allclose(again[:, 1:4], whole[:, 1:4], rtol=1e-9)


def test_a_run_stops_where_the_model_extrapolates(metal, crystal):
    folder, setup = crystal
    watch = """
compute error all lammpsfit/gap/error
compute worst all reduce max c_error[1]
variable worst equal c_worst
fix stop all halt 10 v_worst > 0.4 error soft message yes
fix 2 all deform 1 x erate 20 remap x
"""
    said = run(metal, folder, setup + watch + NVE.format(steps=200))
    (line,) = [line for line in said.splitlines() if "Fix halt condition" in line]
    assert 0 < int(line.split("step")[1].split()[0]) < 200, line


def test_the_keyword_energy_gives_the_same_energies(metal, crystal):
    folder, setup = crystal
    both = """
displace_atoms all random 0.1 0.1 0.1 7
compute both all lammpsfit/gap/error
compute one all lammpsfit/gap/error energy
compute two all reduce sum c_both[2] c_one
thermo_style custom step pe c_two[1] c_two[2]
thermo_modify format float %.15g
run 0
"""
    (row,) = thermo(run(metal, folder, setup + both))
    assert row[2] == row[3] > 0.0
