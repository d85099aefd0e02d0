"""Models as LAMMPS has them. The plugin is compiled once; without a compiler these are skipped."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.lammps.build import NoCompilerError, find_compiler
from lammpsfit.gap.lammps.export import export_model
from lammpsfit.gap.lammps.installation import find_lammps
from lammpsfit.labelled.frames import Keys, from_atoms

RANKS = (str(Path(sys.executable).with_name("mpiexec")), "-n", "2")


@pytest.fixture(scope="session")
def compiler(built_plugin):
    """The compiler, which has compiled the plugin."""
    try:
        found = find_compiler()
    except NoCompilerError as error:
        pytest.skip(str(error))
    built_plugin()
    return found


@pytest.fixture(scope="session")
def exported(small, compiler, tmp_path_factory):
    """The tiny model of two species, and the folder it was exported to."""
    folder = tmp_path_factory.mktemp("export") / "alni"
    lammps = find_lammps()
    check = export_model(small.model, folder, lammps, title="Al and Ni, for tests")
    return SimpleNamespace(folder=folder, model=small.model, lammps=lammps, check=check)


@pytest.fixture(scope="session")
def metal(images, compiler, tmp_path_factory):
    """A model of aluminium that a molecular dynamics stays whole with, and its folder."""
    frames = [from_atoms(one, Keys(), "EMT") for one in images]
    settings = Settings(
        radial_cutoff=5.0, radial_count=5, angular_cutoff=4.5, angular_count=2, degrees=(1, 2, 3)
    )
    described = make_descriptors(settings, frames)
    hyper = Hyperparameters((8.0, 16.0), 20.0, Noises(1e-3, 0.01, 1e-3))
    model = fit_model(frames, *described, FitOptions(hyper=hyper, inducing=40))
    folder = tmp_path_factory.mktemp("export") / "al"
    check = export_model(model, folder, find_lammps())
    return SimpleNamespace(folder=folder, model=model, lammps=find_lammps(), check=check)


@pytest.fixture
def rng():
    return np.random.default_rng(8)
