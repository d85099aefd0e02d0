import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.fit.design import random_point, sobol_design
from lammpsfit.fit.domain import Domain


def disc(X):
    return 0.3 - np.linalg.norm(X - 0.5, axis=1)


def test_a_point_depends_on_seed_and_index_only():
    domain = Domain(4, disc)
    few, many = sobol_design(10, domain, seed=3), sobol_design(600, domain, seed=3)
    np.testing.assert_array_equal(few, many[:10])
    assert not np.array_equal(few, sobol_design(10, domain, seed=4))


def test_all_points_are_allowed_and_distinct():
    domain = Domain(2, disc)
    X = sobol_design(500, domain, seed=0)
    assert domain.allowed(X).all()
    assert len(np.unique(X, axis=0)) == 500


def test_every_cell_of_a_grid_is_visited():
    # A (t, m, s) net in base 2: each of the 16 x 16 cells holds one of the first 256 points.
    X = sobol_design(256, Domain(2), seed=5)
    cells = {tuple(cell) for cell in np.floor(16 * X).astype(int)}
    assert len(cells) == 256


def test_random_points_are_allowed_and_differ():
    domain = Domain(2, disc)
    X = np.array([random_point(domain, np.random.default_rng(i)) for i in range(50)])
    assert domain.allowed(X).all()
    assert len(np.unique(X, axis=0)) == 50


def test_an_impossible_constraint_is_an_input_error():
    nowhere = Domain(2, lambda X: np.full(len(X), -1.0))
    with pytest.raises(InputError, match="0 allowed of 131072 drawn"):
        sobol_design(3, nowhere, seed=0)


def test_margins_that_are_no_numbers_forbid():
    assert not Domain(2, lambda X: np.full(len(X), np.nan)).permits(np.array([0.5, 0.5]))


def test_pull_back_ends_at_the_edge():
    domain = Domain(2, disc)
    x = domain.pull_back(np.array([0.5, 0.5]), np.array([1.0, 0.5]))
    assert domain.permits(x)
    np.testing.assert_allclose(x, [0.8, 0.5], atol=1e-8)
