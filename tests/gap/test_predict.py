"""Predictions: derivatives of one energy, the same however the atoms are written down."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import fit_model
from lammpsfit.gap.predict import CHUNK, predict

STEP = 1e-4
"""Of central differences, Å or strain."""


@pytest.fixture(scope="module")
def frame(small):
    return small.frame(11)


@pytest.fixture(scope="module")
def found(small, frame):
    return predict(small.model, frame)


def strained(frame, strain):
    F = np.eye(3) + strain
    return replace(frame, positions=frame.positions @ F, cell=frame.cell @ F)


def check_same(found, other, atoms=slice(None)):
    assert other.energy == pytest.approx(found.energy, rel=1e-10)
    np.testing.assert_allclose(other.energies, found.energies[atoms], rtol=1e-9)
    np.testing.assert_allclose(other.forces, found.forces[atoms], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(other.stress, found.stress, rtol=1e-8, atol=1e-10)


def test_forces_are_minus_the_slope_of_the_energy(small, frame, found):
    for coordinate in range(9):
        energies = []
        for step in (STEP, -STEP):
            positions = np.array(frame.positions)
            positions.flat[coordinate] += step
            energies.append(predict(small.model, replace(frame, positions=positions)).energy)
        slope = (energies[0] - energies[1]) / (2 * STEP)
        assert found.forces.flat[coordinate] == pytest.approx(-slope, rel=1e-5, abs=1e-6)


def test_stress_is_the_slope_of_the_energy_in_strain(small, frame, found):
    for number, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5 * STEP
        strain[b, a] += 0.5 * STEP
        up, down = (predict(small.model, strained(frame, s * strain)).energy for s in (1, -1))
        slope = (up - down) / (2 * STEP) / frame.volume
        assert found.stress[number] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_the_energy_is_the_sum_of_those_of_the_atoms_and_forces_cancel(found):
    assert found.energies.sum() == pytest.approx(found.energy, rel=1e-12)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-10)


def test_a_rotation_turns_forces_and_stress(small, frame, found):
    R = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    turned = replace(frame, positions=frame.positions @ R.T, cell=frame.cell @ R.T)
    other = predict(small.model, turned)
    np.testing.assert_allclose(other.forces, found.forces @ R.T, rtol=1e-8, atol=1e-10)
    xx, yy, zz, yz, xz, xy = found.stress
    S = R @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ R.T
    expected = [S[0, 0], S[1, 1], S[2, 2], S[1, 2], S[0, 2], S[0, 1]]
    np.testing.assert_allclose(other.stress, expected, rtol=1e-8, atol=1e-10)
    assert other.energy == pytest.approx(found.energy, rel=1e-10)


def test_the_order_and_the_images_of_the_atoms_do_not_matter(small, frame, found):
    order = [2, 0, 1]
    mixed = replace(
        frame,
        symbols=tuple(frame.symbols[k] for k in order),
        positions=frame.positions[order]
        + np.array([[1, 0, 0], [0, -2, 1], [0, 0, 0]]) @ frame.cell,
    )
    check_same(found, predict(small.model, mixed), order)


def test_a_supercell_is_as_many_cells(small, frame, found):
    """48 atoms, which are done in parts; the small cell has atoms that see their own images."""
    shifts = np.array([[i, j, k] for i in range(4) for j in range(2) for k in range(4)])
    assert 3 * len(shifts) > CHUNK
    assert 3 * len(shifts) % CHUNK == 0
    large = replace(
        frame,
        symbols=frame.symbols * len(shifts),
        positions=(frame.positions[None] + (shifts @ frame.cell)[:, None]).reshape(-1, 3),
        cell=frame.cell * [[4.0], [2.0], [4.0]],
        forces=None,
    )
    other = predict(small.model, large)
    assert other.energy == pytest.approx(len(shifts) * found.energy, rel=1e-10)
    np.testing.assert_allclose(other.stress, found.stress, rtol=1e-8, atol=1e-10)
    expected = np.tile(found.forces, (len(shifts), 1))
    np.testing.assert_allclose(other.forces, expected, rtol=1e-8, atol=1e-10)


def test_species_matter(small, frame, found):
    other = predict(small.model, replace(frame, symbols=("Al", "Al", "Ni")))
    assert abs(other.energy - found.energy) > 1e-3


def test_atoms_that_are_not_periodic_have_no_stress(small, frame):
    found = predict(small.model, replace(frame, pbc=(False, False, False), stress=None))
    assert np.all(np.isnan(found.stress))
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-10)


def test_one_species_and_the_paper_descriptors(small, frame):
    """The widths of the paper: no centres, radial only, and the same derivatives."""
    alone = replace(frame, symbols=("Al",) * 3)
    descriptors, parameters = make_descriptors(
        Settings(radial_cutoff=4.0, radial_count=8, angular_count=0), [alone]
    )
    hyper = replace(small.hyper, theta=(1.5,))
    model = fit_model([alone], descriptors, parameters, replace(small.options, hyper=hyper))
    assert set(parameters) == {"radial_eta"}
    found = predict(model, alone)
    positions = np.array(alone.positions)
    energies = []
    for step in (STEP, -STEP):
        positions = np.array(alone.positions)
        positions[1, 2] += step
        energies.append(predict(model, replace(alone, positions=positions)).energy)
    slope = (energies[0] - energies[1]) / (2 * STEP)
    assert found.forces[1, 2] == pytest.approx(-slope, rel=1e-5)
