"""Tiny frames of two species and one model of them, and a small data set with a job.

Compiling is what takes time.
"""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import ase.io
import jax
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.cli import main
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.labelled.frames import Frame

SETTINGS = Settings(
    radial_cutoff=4.0,
    radial_count=2,
    radial_width=1.2,
    angular_cutoff=3.2,
    angular_count=1,
    angular_width=1.2,
    degrees=(1, 2),
    first_centre=1.8,
)
HYPER = Hyperparameters((1.5, 2.0), 0.8, Noises(0.01, 0.05, 0.002))


def small_frame(seed, symbols=("Al", "Ni", "Al")):
    """Three atoms in a skewed cell smaller than twice the cutoff, with labels at random."""
    rng = np.random.default_rng(seed)
    cell = 3.6 * np.eye(3) + rng.normal(0.0, 0.15, (3, 3))
    fractions = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    positions = fractions @ cell + rng.normal(0.0, 0.12, (3, 3))
    return Frame(
        tuple(symbols),
        positions,
        cell,
        (True, True, True),
        energy=float(rng.normal(-10.0, 0.1)),
        forces=rng.normal(0.0, 0.5, (3, 3)),
        stress=rng.normal(0.0, 0.01, 6),
        label=f"frame {seed}",
    )


@pytest.fixture(scope="session", autouse=True)
def compiled_once(own_cache):
    """Share with commands that tests start what JAX compiles here, and the other way round."""
    jax.config.update("jax_compilation_cache_dir", str(own_cache / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


@pytest.fixture(scope="session")
def small():
    frames = tuple(small_frame(seed) for seed in range(3))
    descriptors, parameters = make_descriptors(SETTINGS, frames)
    options = FitOptions(hyper=HYPER, offsets={"Al": -3.0, "Ni": -4.0})
    return SimpleNamespace(
        frames=frames,
        descriptors=descriptors,
        parameters=parameters,
        hyper=HYPER,
        options=options,
        model=fit_model(frames, descriptors, parameters, options),
        frame=small_frame,
    )


@pytest.fixture(scope="session")
def images():
    made = []
    for seed in range(20):
        atoms = bulk("Al", cubic=True)
        rng = np.random.default_rng(seed)
        atoms.set_cell(atoms.cell.array + rng.normal(0, 0.1, (3, 3)), scale_atoms=True)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.info["REF_stress"] = atoms.get_stress()
        atoms.calc = None
        made.append(atoms)
    return made


@pytest.fixture
def here(tmp_path, monkeypatch, capsys, images):
    """Call ``lammpsfit gap`` in this process, in a folder with a job and its data."""
    monkeypatch.chdir(tmp_path)
    ase.io.write("al.extxyz", images)
    Path("job.toml").write_text(Path(__file__).with_name("emt.toml").read_text())

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lammpsfit", "gap", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, caught.value.code, said.out, said.err)

    return call
