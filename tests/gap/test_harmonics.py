"""Real harmonics: the addition theorem, and their derivatives."""

import jax
import numpy as np
import pytest
from scipy.special import eval_legendre

from lammpsfit.gap.descriptors.harmonics import columns_of, harmonics, harmonics_with_slopes

DEGREES = (0, 1, 2, 5, 8, 20)


@pytest.fixture(scope="module")
def vectors():
    poles = [[0.0, 0.0, 2.0], [0.0, 0.0, -0.7]]
    return np.vstack([np.random.default_rng(3).normal(size=(6, 3)), poles])


def test_products_add_to_legendre_polynomials(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    Y = np.asarray(jax.jit(harmonics, static_argnums=1)(unit, DEGREES))
    degree = columns_of(DEGREES).degree
    for one in DEGREES:
        of_degree = Y[:, degree == one]
        wanted = eval_legendre(one, unit @ unit.T)
        assert of_degree @ of_degree.T == pytest.approx(wanted, abs=1e-12)


def test_slopes_are_differences_of_the_values(vectors):
    values = jax.jit(harmonics_with_slopes, static_argnums=1)
    found, slopes = values(vectors, DEGREES)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = np.asarray(jax.jit(harmonics, static_argnums=1)(unit, DEGREES))
    assert np.asarray(found) == pytest.approx(wanted, abs=1e-13)
    for axis, step in enumerate(1e-6 * np.eye(3)):
        above, below = (np.asarray(values(vectors + sign * step, DEGREES)[0]) for sign in (1, -1))
        wanted = (above - below) / 2e-6
        assert np.asarray(slopes)[:, axis] == pytest.approx(wanted, abs=1e-6)
