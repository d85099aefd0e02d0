"""The trap of trained widths: next to nothing, scaled up until it is all that the kernel sees.

A width that sees no neighbour of any training frame costs nothing there. Measured by its own tiny
spread it says nothing of most new frames either, but gives wild forces to the few atoms that come
a little nearer than any before: RMSE explodes while most errors look fine.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.gap.accuracy import compare, predict_all
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.descriptors.settings import raw_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.labelled.frames import Keys, from_atoms
from lammpsfit.run_pages.gap import error_lines

OPTIONS = FitOptions(hyper=Hyperparameters((8.0,), 20.0, Noises(1e-3, 0.02, 1e-3)))


def labelled(seed, rattle):
    atoms = bulk("Al", cubic=True)
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.05, (3, 3)), scale_atoms=True)
    atoms.rattle(rattle, seed=seed)
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.get_stress()
    return from_atoms(atoms, Keys("energy", "forces", "stress"), f"EMT {seed}")


@pytest.fixture(scope="module")
def known():
    return [labelled(seed, 0.05) for seed in range(12)]


@pytest.fixture(scope="module")
def new():
    """Frames that are a little hotter than those trained on."""
    return [labelled(seed, 0.07) for seed in range(50, 70)]


def compared(known, new, descriptors, parameters):
    model = fit_model(known, descriptors, parameters, OPTIONS)
    return compare(new, predict_all(model, new), model.hyper.noises)


def on_its_own_scale(descriptors, parameters, frames):
    """The descriptors on the scale of their spread now, however small it is: the trap."""
    G = raw_descriptors(descriptors.layout, parameters, descriptors.species, frames)
    return replace(
        descriptors, offset=tuple(G.mean(axis=0).tolist()), scale=tuple(G.std(axis=0).tolist())
    )


def test_a_width_that_has_run_away_does_no_harm_on_the_fixed_scale(known, new):
    settings = Settings(radial_cutoff=8.0, radial_count=8, angular_count=0)
    descriptors, first = make_descriptors(settings, known)
    away = {"radial_eta": np.array(first["radial_eta"])}
    away["radial_eta"][0, 0] = np.log(0.05)  # 0.4 Å, and no two atoms are nearer than 2.4 Å
    own = on_its_own_scale(descriptors, away, known)
    assert own.scale[0] < 1e-12 * descriptors.scale[0]
    before = compared(known, new, descriptors, first)["forces"]
    found = compared(known, new, descriptors, away)
    trapped = compared(known, new, own, away)
    assert found["forces"].rmse < 1.3 * before.rmse
    # the trap is there, and the mean tells less of it than the root mean square, which is shown
    assert trapped["forces"].rmse > 5.0 * before.rmse
    assert trapped["forces"].rmse / before.rmse > 1.5 * trapped["forces"].mae / before.mae
    line = next(line for line in error_lines(trapped) if "forces" in line)
    assert f"RMSE {trapped['forces'].rmse:.4g}" in line


def test_a_width_that_sees_nobody_from_the_start_is_not_scaled_up(known, new):
    """The first widths of the paper with a short cutoff: the narrowest is 0.45 Å."""
    settings = Settings(radial_cutoff=4.5, radial_count=8, angular_count=0)
    descriptors, first = make_descriptors(settings, known)
    own = on_its_own_scale(descriptors, first, known)
    found, trapped = (compared(known, new, d, first)["forces"] for d in (descriptors, own))
    assert trapped.rmse > 1.6 * found.rmse
