"""Moduli of stiffnesses that are known."""

import numpy as np
import pytest

from lammpsfit.structure.elasticity import isotropic


def cubic(c11, c12, c44):
    C = np.zeros((6, 6))
    C[:3, :3] = c12
    C[range(3), range(3)] = c11
    C[range(3, 6), range(3, 6)] = c44
    return C


def test_an_isotropic_solid_has_its_own_moduli_without_errors():
    """K = 36.7 and G = 31.2 GPa, those of silica glass, as a stiffness and back."""
    K, G = 36.7, 31.2
    found = isotropic(cubic(K + 4 * G / 3, K - 2 * G / 3, G))
    assert found.bulk.mean == pytest.approx(K)
    assert found.shear.mean == pytest.approx(G)
    assert found.young.mean == pytest.approx(9 * K * G / (3 * K + G))
    assert found.young.mean == pytest.approx(2 * G * (1 + found.poisson.mean))
    for one in (found.bulk, found.shear, found.young, found.poisson):
        assert one.error == pytest.approx(0, abs=1e-6)


def test_the_average_is_that_of_voigt():
    """Copper: C11 168.4, C12 121.4, C44 75.4 GPa; G_V = (C11 - C12 + 3 C44)/5 = 54.6."""
    found = isotropic(cubic(168.4, 121.4, 75.4))
    assert found.bulk.mean == pytest.approx((168.4 + 2 * 121.4) / 3)
    assert found.shear.mean == pytest.approx(54.64)


def test_errors_are_the_scatter_over_orientations():
    """A stiffness with noise on each element: errors tell by how much the moduli are off."""
    rng = np.random.default_rng(1)
    off, said = [], []
    for _ in range(400):
        noise = rng.standard_normal((6, 6))
        found = isotropic(cubic(78.0, 16.0, 31.0) + (noise + noise.T) / 2)
        off.append([found.bulk.mean - 110 / 3, found.shear.mean - 31.0])
        said.append([found.bulk.error, found.shear.error])
    assert np.sqrt(np.mean(np.square(said), axis=0)) == pytest.approx(np.std(off, axis=0), rel=0.15)
