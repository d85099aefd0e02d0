"""Tiny frames of two species, and one model of them: compiling is what takes time."""

from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.frames import Frame
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises

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
