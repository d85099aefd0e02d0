"""Exported models move atoms through ASE as the models themselves do."""

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from lammpsfit.errors import InputError
from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.gap.lammps.forces import plugin_calculator
from lammpsfit.gap.model_file import save_model

pytestmark = pytest.mark.lammps


def test_forces_and_stress_are_those_of_the_model_while_atoms_and_cell_move(metal, rng):
    atoms = bulk("Al", a=4.05).repeat((2, 2, 3))  # at no right angles
    atoms.rattle(0.1, seed=4)
    plugin, model = plugin_calculator(metal.folder, ["Al"]), GapCalculator(metal.model)
    for _ in range(3):
        atoms.positions += 0.05 * rng.standard_normal((len(atoms), 3))
        atoms.set_cell(atoms.cell.array * 1.004, scale_atoms=True)
        for name, within in (("energy", 1e-7), ("forces", 1e-7), ("stress", 1e-9)):
            np.testing.assert_allclose(
                plugin.get_property(name, atoms), model.get_property(name, atoms), atol=within
            )


def test_a_folder_that_lammps_cannot_read_from_is_refused():
    with pytest.raises(InputError, match="LAMMPS cannot read from a folder of this name"):
        plugin_calculator(Path("with a space"), ["Al"])


def test_dynamics_by_lammps_is_that_of_the_model(metal, here):
    save_model(metal.model, Path("model.json"))
    ase.io.write("start.xyz", bulk("Al", cubic=True) * (2, 2, 2), format="extxyz")
    run = ("md", "start.xyz", "--model", "model.json", "--ensemble", "npt", "--temperature", 300)
    times = ("--time", "0.2", "--equilibrate", "0.1", "--look", "0.02")
    for name, how in (("plain", ()), ("fast", ("--lammps",))):
        done = here(*run, *times, "-o", name, *how)
        assert done.returncode == 0, done.stderr
    plain, fast = (json.loads((Path(name) / "md.json").read_text()) for name in ("plain", "fast"))
    for name in ("potential", "volume", "pressure", "temperature"):
        np.testing.assert_allclose(plain["series"][name], fast["series"][name], rtol=1e-4)
    assert Path("fast/lammps/potential.lmp").exists()
    other = here(
        "md", "start.xyz", "--calculator", "ase.calculators.emt:EMT", "--lammps", "-o", "x"
    )
    assert other.returncode == 2
    assert "--lammps runs a model: give one" in other.stderr
    assert not Path("x").exists()
    spaced = here(*run, "--lammps", "-o", "a b")
    assert spaced.returncode == 2
    assert "LAMMPS cannot read from a folder of this name" in spaced.stderr
    assert not Path("a b").exists()


def test_frames_are_sampled_by_lammps(metal, here):
    save_model(metal.model, Path("model.json"))
    ase.io.write("start.xyz", bulk("Al", cubic=True) * (2, 2, 2), format="extxyz")
    run = ("sample", "start.xyz", "--model", "model.json", "--temperature", 300, "--frames", 2)
    times = ("--equilibrate", "0.1", "--interval", "0.1")
    for name, how in (("plain.xyz", ()), ("fast.xyz", ("--lammps",))):
        done = here(*run, *times, "-o", name, *how)
        assert done.returncode == 0, done.stderr
    plain, fast = (ase.io.read(name, ":") for name in ("plain.xyz", "fast.xyz"))
    for one, other in zip(plain, fast, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-3)
        np.testing.assert_allclose(one.cell, other.cell, atol=1e-4)
    assert Path("fast.xyz.lammps/potential.lmp").exists()
    strained = here("sample", "start.xyz", "--strain", "0.01", "--lammps", "-o", "x.xyz")
    assert strained.returncode == 2
    assert "--strain takes no model, calculator or temperature" in strained.stderr
