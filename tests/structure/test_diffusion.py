"""Mean squared displacements and diffusion of motions that are known exactly."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.diffusion import activation_energy, mean_squared_displacements

CELL = 20.0 * np.eye(3)


def msd(positions, interval=0.1, members=None):
    members = {"A": np.arange(positions.shape[1])} if members is None else members
    return mean_squared_displacements(members, positions, CELL, interval)


def walk(rng, frames, atoms, D, interval):
    steps = rng.normal(0, np.sqrt(2 * D * interval), (frames, atoms, 3))
    return rng.uniform(0, 20, (atoms, 3)) + np.cumsum(steps, axis=0)


def test_it_is_the_sum_over_all_origins():
    rng = np.random.default_rng(2)
    positions = walk(rng, 21, 6, 1.0, 0.1) + 1e4  # far from the origin, where digits get lost
    found = msd(positions, members={"A": [0, 1, 2], "B": [3, 4, 5]})
    for name, atoms in {"A": [0, 1, 2], "B": [3, 4, 5]}.items():
        for lag in range(11):
            moved = positions[lag:, atoms] - positions[: 21 - lag, atoms]
            assert found[name].mean[lag] == pytest.approx(np.mean(np.sum(moved**2, -1)), abs=1e-7)
    assert found["A"].t == pytest.approx(0.1 * np.arange(11))


def test_straight_lines_go_as_the_square_of_time():
    rng = np.random.default_rng(4)
    v = rng.normal(0, 3.0, (400, 3))
    t = 0.05 * np.arange(80)
    positions = rng.uniform(0, 20, (400, 3)) + t[:, None, None] * v
    found = msd(positions, 0.05)["A"]
    assert found.mean == pytest.approx(np.mean(np.sum(v**2, -1)) * found.t**2, abs=1e-8)
    assert found.exponent.mean == pytest.approx(2.0, abs=1e-6)
    assert found.exponent.error == pytest.approx(0.0, abs=1e-6)


def test_brownian_motion_gives_its_coefficient():
    D, interval = 0.7, 0.05
    found = msd(walk(np.random.default_rng(7), 401, 1000, D, interval), interval)["A"]
    D_found, exponent = found.coefficient, found.exponent
    assert abs(D_found.mean - D) < 4 * D_found.error
    assert D_found.error < 0.06 * D
    assert abs(exponent.mean - 1) < 4 * exponent.error
    assert np.all(np.abs(found.mean - 6 * D * found.t)[1:] < 5 * found.error[1:])


def test_errors_are_the_scatter_of_many_runs():
    rng = np.random.default_rng(11)
    runs = [msd(walk(rng, 101, 160, 1.0, 0.1))["A"].coefficient for _ in range(40)]
    scatter = np.std([run.mean for run in runs], ddof=1)
    assert np.sqrt(np.mean([run.error**2 for run in runs])) == pytest.approx(scatter, rel=0.4)


def test_of_atoms_in_one_place_no_error_is_known():
    found = msd(walk(np.random.default_rng(1), 20, 3, 1e-4, 0.1) * 0 + 1.0)["A"]
    assert np.isnan(found.error).all()
    assert np.isnan(found.coefficient.error)
    assert found.coefficient.mean == 0.0


def test_few_frames_are_refused():
    with pytest.raises(InputError, match="at least 8 frames, got 7"):
        msd(np.zeros((7, 2, 3)))


def test_an_activation_energy_is_that_of_its_law():
    T = np.array([2500.0, 3000.0, 3600.0, 4500.0])
    D = 300.0 * np.exp(-1.7 / (8.617333262e-5 * T))
    exact = activation_energy(T, [Estimate(x, 0.1 * x) for x in D])
    assert exact.mean == pytest.approx(1.7, rel=1e-9)
    # the scatter of fits to noisy points is the error that each of them states
    rng = np.random.default_rng(5)
    noisy = D * np.exp(0.1 * rng.normal(size=(2000, 4)))
    found = [activation_energy(T, [Estimate(x, 0.1 * x) for x in row]).mean for row in noisy]
    assert np.std(found) == pytest.approx(exact.error, rel=0.1)
    # points that lie far off the line say more than their errors do
    bent = activation_energy(T, [Estimate(x, 0.01 * x) for x in D * [1.0, 1.5, 1.5, 1.0]])
    assert bent.error > 5 * activation_energy(T, [Estimate(x, 0.01 * x) for x in D]).error


def test_without_motion_there_is_no_activation_energy():
    stuck = [Estimate(1.0, 0.1), Estimate(-0.1, 0.2), Estimate(0.5, 0.1)]
    assert np.isnan(activation_energy([1000.0, 2000.0, 3000.0], stuck).mean)
