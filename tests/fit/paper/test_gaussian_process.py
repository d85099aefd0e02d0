"""scikit-learn is the oracle for values, finite differences for gradients."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from lammpsfit.fit.paper.gaussian_process import condition, extend
from lammpsfit.fit.paper.hyperparameters import (
    MAX_POINTS,
    Hyperparameters,
    default_hyperparameters,
    fit_hyperparameters,
    last_fit,
)
from lammpsfit.fit.paper.kernel import matern52, matern52_gradient


@pytest.fixture
def theta():
    return Hyperparameters(-1.5, 0.7, np.array([0.3, 0.8, 0.5]), 0.01)


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    X = rng.random((40, 3))
    return X, np.sin(5 * X[:, 0]) + X[:, 1] - 2, rng.uniform(1e-4, 0.05, 40)


@pytest.fixture
def gp(theta, data):
    return condition(theta, *data)


def difference(f, x, h=1e-6):
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def test_kernel_is_that_of_scikit_learn(theta, data):
    X = data[0]
    expected = Matern(theta.length_scale, nu=2.5)(X[:7], X)
    np.testing.assert_allclose(matern52(X[:7], X, theta.length_scale), expected, rtol=1e-12)


def test_kernel_gradient(theta, data):
    X, x = data[0], np.array([0.2, 0.9, 0.4])
    numeric = difference(lambda x: matern52(x[None], X, theta.length_scale)[0], x)
    np.testing.assert_allclose(matern52_gradient(x, X, theta.length_scale), numeric.T, atol=1e-8)


def test_kernel_gradient_vanishes_at_a_twin(theta, data):
    X = data[0]
    np.testing.assert_array_equal(matern52_gradient(X[0], X, theta.length_scale)[0], 0.0)


def test_prediction_is_that_of_scikit_learn(theta, data, gp):
    X, y, variance = data
    kernel = ConstantKernel(theta.amplitude) * Matern(theta.length_scale, nu=2.5)
    oracle = GaussianProcessRegressor(kernel, alpha=variance + theta.noise, optimizer=None)
    oracle.fit(X, y - theta.mean)
    new = np.random.default_rng(2).random((20, 3))
    mean, sd = oracle.predict(new, return_std=True)
    np.testing.assert_allclose(gp.predict(new)[0], mean + theta.mean, rtol=1e-7)
    np.testing.assert_allclose(gp.predict(new)[1], sd, rtol=1e-6)


def test_gradients_of_mean_and_sd(gp):
    x = np.array([0.31, 0.62, 0.17])
    mean, dmean, sd, dsd = gp.predict_with_gradient(x)
    assert (mean, sd) == pytest.approx([float(v[0]) for v in gp.predict(x[None])])
    at = lambda which: lambda x: float(gp.predict(x[None])[which][0])  # noqa: E731
    np.testing.assert_allclose(dmean, difference(at(0), x), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(dsd, difference(at(1), x), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(gp.mean(x)[1], dmean)


def test_means_at_the_data(gp):
    np.testing.assert_allclose(gp.means_at_data, gp.predict_mean(gp.X), rtol=1e-9)


def test_noise_is_weighed_point_by_point(theta):
    # Two twins that disagree: the mean is that of the inverse variances, 0 : 1 as 1 : 9.
    X = np.full((2, 3), 0.5)
    flat = Hyperparameters(0.5, 1e6, theta.length_scale, 0.0)
    gp = condition(flat, X, np.array([0.0, 1.0]), np.array([0.9, 0.1]))
    assert gp.predict_mean(X[:1])[0] == pytest.approx(0.9, abs=1e-3)


def test_extension_equals_conditioning_on_all(gp, theta, data):
    X, y, variance = data
    new = np.random.default_rng(3).random((4, 3))
    values = np.array([-1.0, 0.2, 0.1, -2.0])
    longer = extend(gp, new, values)
    tiny = longer.variance[-1] - theta.noise - 1e-10 * theta.amplitude
    whole = condition(
        theta, np.vstack([X, new]), np.concatenate([y, values]), np.append(variance, 4 * [tiny])
    )
    at = np.random.default_rng(4).random((9, 3))
    for ours, theirs in zip(longer.predict(at), whole.predict(at), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_an_extension_is_believed_exactly(gp):
    x = np.array([[0.9, 0.1, 0.8]])
    mean, sd = extend(gp, x, np.array([3.0])).predict(x)
    assert mean[0] == pytest.approx(3.0, abs=1e-3)
    assert sd[0] < 2e-3


def test_fit_finds_what_matters():
    rng = np.random.default_rng(0)
    X = rng.random((150, 3))
    y = np.sin(6 * X[:, 0]) + 0.05 * rng.standard_normal(150)
    theta = fit_hyperparameters(X, y, np.zeros(150), seed=0)
    assert theta.length_scale[0] < 1.0
    assert theta.length_scale[1:].min() > 5.0
    assert 0.025 < np.sqrt(theta.noise) < 0.1


def test_known_noise_is_not_found_again():
    rng = np.random.default_rng(0)
    X = rng.random((150, 2))
    y = np.sin(6 * X[:, 0]) + 0.2 * rng.standard_normal(150)
    blind = fit_hyperparameters(X, y, np.zeros(150), seed=0)
    told = fit_hyperparameters(X, y, np.full(150, 0.04), seed=0)
    assert told.noise < 0.3 * blind.noise


def test_a_fit_is_a_function_of_data_and_seed():
    rng = np.random.default_rng(0)
    X = rng.random((MAX_POINTS + 40, 2))
    y = X @ [1.0, 2.0]
    a, b = (fit_hyperparameters(X, y, np.full(len(y), 1e-3), seed=5) for _ in range(2))
    np.testing.assert_array_equal(a.length_scale, b.length_scale)
    assert (a.amplitude, a.noise) == (b.amplitude, b.noise)


def test_values_all_alike_are_no_trouble():
    X = np.random.default_rng(0).random((20, 2))
    theta = fit_hyperparameters(X, np.full(20, -1.0), np.zeros(20), seed=0)
    assert np.isfinite(condition(theta, X, np.full(20, -1.0)).predict(X)).all()
    assert default_hyperparameters(np.full(3, 2.0), 2).amplitude == 1.0


def test_fits_become_rare():
    sizes = {last_fit(n) for n in range(8, 1601)}
    assert len(sizes) < 35
    assert all(last_fit(n) > n / 1.35 for n in range(20, 1601))
