"""Derivatives from fluctuations, against ensembles whose averages are known exactly."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from lammpsfit.errors import InputError
from lammpsfit.structure.blocks import jackknife_error
from lammpsfit.structure.fluctuations import Weighing, linear_response

BETA = 3.0
N_BLOCKS = 20


class Levels:
    """A few states with energies and observables that bend with two parameters."""

    def __init__(self, n=3, observables=4, seed=0):
        rng = np.random.default_rng(seed)
        self.e, self.slope, self.bend = rng.normal(size=(n, 1)), *rng.normal(size=(2, n, 2))
        self.a, self.change = rng.normal(size=(n, observables)), rng.normal(size=(n, observables))
        self.blocks = np.arange(n) % 2

    def energy(self, theta):
        return self.e[:, 0] + self.slope @ theta + 0.5 * self.bend @ theta**2

    def energy_gradient(self, theta):
        return self.slope + self.bend * theta

    def observables(self, theta):
        return self.a + self.change * theta[0] ** 2

    def observables_gradient(self, theta):
        return np.stack([2.0 * self.change * theta[0], np.zeros_like(self.a)], axis=2)

    def weights(self, theta):
        """Boltzmann weights: an average over all states has no statistical error."""
        return np.exp(-BETA * self.energy(theta))

    def average(self, theta):
        return np.average(self.observables(theta), axis=0, weights=self.weights(theta))

    def response(self, theta, explicit=True):
        return linear_response(
            self.observables(theta),
            self.energy_gradient(theta),
            BETA,
            self.blocks,
            self.weights(theta),
            self.observables_gradient(theta) if explicit else None,
        )


THETA = np.array([0.3, -0.2])


@pytest.mark.parametrize("levels", [Levels(2, seed=1), Levels(3), Levels(9, seed=2)])
def test_the_derivative_of_an_enumerated_ensemble_is_exact(levels):
    found = levels.response(THETA)
    assert found.mean == pytest.approx(levels.average(THETA), rel=1e-12)
    h = 1e-5
    for i in range(2):
        step = h * np.eye(2)[i]
        slope = (levels.average(THETA + step) - levels.average(THETA - step)) / (2 * h)
        assert found.jacobian[:, i] == pytest.approx(slope, rel=1e-7, abs=1e-9)


def test_the_explicit_term_is_the_mean_derivative_of_the_observable():
    levels = Levels()
    whole, without = levels.response(THETA), levels.response(THETA, explicit=False)
    w, gradient = levels.weights(THETA), levels.observables_gradient(THETA)
    expected = np.average(gradient, axis=0, weights=w)
    assert whole.jacobian - without.jacobian == pytest.approx(expected)
    assert np.abs(expected[:, 0]).min() > 1e-3
    assert np.array_equal(whole.metric, without.metric)


def test_the_metric_is_the_covariance_of_the_change_of_energy():
    levels = Levels(9)
    w, metric = levels.weights(THETA), levels.response(THETA).metric
    covariance = np.cov(levels.energy_gradient(THETA).T, ddof=0, aweights=w)
    assert metric == pytest.approx(BETA**2 * covariance)
    s = 1e-6 * np.array([2.0, -1.0])
    change = BETA * (levels.energy(THETA + s) - levels.energy(THETA))
    variance = np.average((change - np.average(change, weights=w)) ** 2, weights=w)
    assert s @ metric @ s == pytest.approx(variance, rel=1e-5)


def oscillator(rng, k, n, phi=0.0):
    """Positions x in the potential k x²/2 with autocorrelation phi^t."""
    noise = math.sqrt(1.0 - phi**2) * rng.normal(size=n)
    noise[0] = rng.normal()
    return lfilter([1.0], [1.0, -phi], noise) / math.sqrt(BETA * k)


def stiffness(x, n_blocks=N_BLOCKS, k=2.0):
    """Response of x² to the stiffness k, dU/dk = x²/2."""
    blocks = np.repeat(np.arange(n_blocks), len(x) // n_blocks)
    return linear_response(x[:, None] ** 2, 0.5 * x[:, None] ** 2, BETA, blocks)


@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_errors_of_an_oscillator_are_honest(phi):
    """Sampled as a run would be: d<x²>/dk = -1/(β k²), off by as much as is stated."""
    rng, k = np.random.default_rng(3), 2.0
    runs = [stiffness(oscillator(rng, k, 8000, phi)) for _ in range(400)]
    for true, values, errors in (
        (1 / (BETA * k), "mean", "mean_error"),
        (-1 / (BETA * k**2), "jacobian", "jacobian_error"),
    ):
        found = np.array([getattr(run, values).item() for run in runs])
        pulls = (found - true) / [getattr(run, errors).item() for run in runs]
        # 19 degrees of freedom and a skewed estimate widen the pulls by some per cent
        assert pulls.std() == pytest.approx(1.05, abs=0.15)
        assert abs(np.median(pulls)) < 0.25
        assert np.mean(np.abs(pulls) < 2) > 0.9
    metric = np.mean([run.metric.item() for run in runs])
    assert metric == pytest.approx(1 / (2 * k**2), rel=0.03)


def test_noise_is_what_runs_scatter_by():
    """The averages of many runs scatter with the covariances that each run states of its own."""
    rng = np.random.default_rng(9)
    runs = [stiffness(oscillator(rng, 2.0, 4000)) for _ in range(400)]
    stated = [run.noise for run in runs]
    scatter = np.cov([run.mean.item() for run in runs], [run.jacobian.item() for run in runs])
    of_mean = np.mean([noise.mean_mean for noise in stated])
    both = np.mean([noise.jacobian_mean.item() for noise in stated])
    of_jacobian = np.mean([noise.jacobian_jacobian.item() for noise in stated])
    assert scatter[0, 0] == pytest.approx(of_mean, rel=0.15)
    assert scatter[0, 1] == pytest.approx(both, rel=0.15)
    assert scatter[0, 1] < -0.5 * math.sqrt(scatter[0, 0] * scatter[1, 1])
    assert scatter[1, 1] == pytest.approx(of_jacobian, rel=0.2)


def test_blocks_shorter_than_the_correlation_state_too_small_errors():
    rng = np.random.default_rng(4)
    x = [oscillator(rng, 2.0, 4000, 0.95) for _ in range(20)]
    short, long = (
        np.mean([stiffness(one, blocks).jacobian_error.item() for one in x])
        for blocks in (1000, 20)
    )
    assert short < 0.6 * long


def test_errors_fall_with_the_root_of_the_length():
    rng = np.random.default_rng(5)
    error = {
        n: np.mean([stiffness(oscillator(rng, 2.0, n)).jacobian_error.item() for _ in range(20)])
        for n in (1000, 16000)
    }
    assert error[1000] / error[16000] == pytest.approx(4.0, rel=0.15)


def test_the_mean_energy_of_an_oscillator_does_not_depend_on_its_stiffness():
    """<k x²/2> = k_B T/2: the explicit term and the fluctuations cancel."""
    k, x = 2.0, oscillator(np.random.default_rng(6), 2.0, 40_000)
    half = 0.5 * x[:, None] ** 2
    blocks = np.repeat(np.arange(N_BLOCKS), len(x) // N_BLOCKS)
    found = linear_response(k * half, half, BETA, blocks, dA=half[:, :, None])
    error = found.jacobian_error.item()
    assert abs(found.jacobian.item()) < 3 * error
    assert error < 0.05 / (2 * BETA * k)  # each of the two terms is 1/(2 β k)


@pytest.fixture
def run():
    """Two observables, three derivatives, six uneven blocks of correlated numbers."""
    rng = np.random.default_rng(7)
    common = rng.normal(size=(120, 1))
    A, dU = common + rng.normal(size=(120, 2)), common + rng.normal(size=(120, 3))
    blocks = np.sort(rng.permutation(np.append(np.arange(6), rng.integers(0, 6, size=114))))
    return A, dU, blocks, rng.integers(0, 4, size=120), rng.normal(size=(120, 2, 3))


def test_a_weight_of_two_is_a_frame_seen_twice(run):
    A, dU, blocks, weights, dA = run
    seen = np.repeat(np.arange(len(A)), weights)
    weighed = linear_response(A, dU, BETA, blocks, weights, dA)
    again = linear_response(A[seen], dU[seen], BETA, blocks[seen], dA=dA[seen])
    for name in ("mean", "jacobian", "metric", "means", "jacobians"):
        assert getattr(weighed, name) == pytest.approx(getattr(again, name))


def test_only_ratios_of_weights_count(run):
    A, dU, blocks, weights, dA = run
    one, other = (linear_response(A, dU, BETA, blocks, f * weights, dA) for f in (1.0, 1e-6))
    assert other.jacobian == pytest.approx(one.jacobian)
    assert other.jacobian_error == pytest.approx(one.jacobian_error)


def test_replicates_are_what_the_other_blocks_say(run):
    A, dU, blocks, weights, dA = run
    found = linear_response(A, dU, BETA, blocks, weights, dA)
    for b in range(6):
        rest = blocks != b
        labels = np.unique(blocks[rest], return_inverse=True)[1]
        alone = linear_response(A[rest], dU[rest], BETA, labels, weights[rest], dA[rest])
        assert found.means[b] == pytest.approx(alone.mean)
        assert found.jacobians[b] == pytest.approx(alone.jacobian)
    assert np.array_equal(found.jacobian_error, jackknife_error(found.jacobians))
    centred = found.means - found.means.mean(axis=0)
    assert found.mean_error == pytest.approx(np.sqrt(5 / 6 * np.sum(centred**2, axis=0)))


def test_runs_one_after_the_other_are_one_sample(run):
    A, dU, blocks, weights, dA = run
    cut = int(np.searchsorted(blocks, 2))
    parts = np.s_[:cut], np.s_[cut:]
    starts = np.searchsorted(blocks, np.arange(6))
    weighing = Weighing(BETA, [weights[part] for part in parts], [starts[:2], starts[2:] - cut])
    whole = linear_response(A, dU, BETA, blocks, weights, dA)
    observed, energies, direct = ([x[part] for part in parts] for x in (A, dU, dA))
    mean, means = weighing.averages(observed)
    jacobian, jacobians = weighing.derivatives(observed, energies, direct)
    assert mean == pytest.approx(whole.mean)
    assert means == pytest.approx(whole.means)
    assert jacobian == pytest.approx(whole.jacobian)
    assert jacobians == pytest.approx(whole.jacobians)
    assert weighing.metric(energies) == pytest.approx(whole.metric)


def test_derivatives_are_the_covariances_of_the_formula(run):
    A, dU, blocks, weights, dA = run
    w = weights / weights.sum()
    found = linear_response(A, dU, BETA, blocks, weights, dA)
    assert found.mean == pytest.approx(w @ A)
    covariance = np.einsum("n,nk,ni->ki", w, A - w @ A, dU - w @ dU)
    assert found.jacobian == pytest.approx(np.einsum("n,nki->ki", w, dA) - BETA * covariance)
    F = BETA**2 * np.einsum("n,ni,nj->ij", w, dU - w @ dU, dU - w @ dU)
    assert found.metric == pytest.approx(F)


def test_noise_is_the_scatter_of_the_replicates(run):
    found = linear_response(*run[:2], BETA, *run[2:])
    y, J = (x - x.mean(axis=0) for x in (found.means, found.jacobians))
    assert found.noise.mean_mean == pytest.approx(5 / 6 * np.sum(y**2))
    assert found.noise.jacobian_mean == pytest.approx(5 / 6 * np.einsum("bk,bki->i", y, J))
    assert found.noise.jacobian_jacobian == pytest.approx(5 / 6 * np.einsum("bki,bkj->ij", J, J))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(8).normal(size=(12, 3))
    without_one = (x.sum(axis=0) - x) / 11
    assert jackknife_error(without_one) == pytest.approx(x.std(axis=0, ddof=1) / math.sqrt(12))


def test_large_constants_do_not_matter(run):
    """Energies of thousands of eV that fluctuate by one."""
    A, dU, blocks, weights, dA = run
    found = linear_response(A, dU, BETA, blocks, weights, dA)
    shifted = linear_response(A + 1e4, dU - 1e6, BETA, blocks, weights, dA)
    assert shifted.jacobian == pytest.approx(found.jacobian, rel=1e-6)
    assert shifted.jacobian_error == pytest.approx(found.jacobian_error, rel=1e-6)
    assert shifted.metric == pytest.approx(found.metric, rel=1e-6)


def test_one_block_is_refused(run):
    A, dU, *_ = run
    with pytest.raises(InputError, match="at least two blocks, got one"):
        linear_response(A, dU, BETA, np.zeros(len(A), dtype=int))


@pytest.mark.parametrize("short", range(4))
def test_lengths_that_disagree_are_refused(run, short):
    given = list(run[:4])
    given[short] = given[short][:-1]
    A, dU, blocks, weights = given
    with pytest.raises(InputError, match=r"each frame needs .* got .*119"):
        linear_response(A, dU, BETA, blocks, weights)
