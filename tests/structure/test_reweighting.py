"""Reweighting, on harmonic oscillators whose averages and free energies are known exactly."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp

from lammpsfit.structure.reweighting import (
    effective_samples,
    free_energies,
    multistate_weights,
)

STATES = ((1.0, 0.0), (3.0, 0.6), (0.6, -0.8))
"""Stiffness in kT and centre of each run's oscillator."""

FRAMES = (400, 700, 250)


def energy(x, k, centre):
    """Reduced energy βU."""
    return 0.5 * k * (x - centre) ** 2


def draw(rng, states=STATES, frames=FRAMES):
    """Frames of all runs, and their energy in the potential of each."""
    x = np.concatenate(
        [c + rng.normal(size=n) / math.sqrt(k) for (k, c), n in zip(states, frames, strict=True)]
    )
    return x, np.array([energy(x, *state) for state in states])


@pytest.mark.parametrize("wanted", [*STATES, (1.5, 0.3)])
def test_reweighted_averages_are_those_of_the_state_wanted(wanted):
    rng, (k, centre) = np.random.default_rng(0), wanted
    means, squares = [], []
    for _ in range(100):
        x, u = draw(rng)
        w = multistate_weights(u, FRAMES, energy(x, *wanted))
        assert w.sum() == pytest.approx(1.0)
        means.append(w @ x)
        squares.append(w @ (x - centre) ** 2)
    for values, true in ((means, centre), (squares, 1 / k)):
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert error < 0.015
        assert np.mean(values) == pytest.approx(true, abs=4 * error)


def test_weights_are_consistent():
    """The weights for the runs' own states, n_k of each, add up to one frame: what defines them."""
    _, u = draw(np.random.default_rng(1))
    W = np.array([multistate_weights(u, FRAMES, own) for own in u])
    assert pytest.approx(np.ones(sum(FRAMES)), abs=1e-8) == FRAMES @ W


def test_weights_are_those_of_the_exact_mixture():
    """With the true free energies, f = ln(k/2π)/2, the formula needs no iteration."""
    x, u = draw(np.random.default_rng(2))
    f = np.array([0.5 * math.log(k / (2 * math.pi)) for k, _ in STATES])
    wanted = energy(x, 1.5, 0.3)
    log_w = -wanted - logsumexp((np.log(FRAMES) + f)[:, None] - u, axis=0)
    exact = np.exp(log_w - logsumexp(log_w))
    found = multistate_weights(u, FRAMES, wanted)
    # they differ by the statistical error of f, some hundredths
    assert found == pytest.approx(exact, rel=0.15)
    assert found @ x == pytest.approx(exact @ x, abs=0.02)


def test_a_single_run_of_the_state_wanted_counts_evenly():
    x, u = draw(np.random.default_rng(3), STATES[:1], FRAMES[:1])
    assert multistate_weights(u, FRAMES[:1], u[0]) == pytest.approx(np.full(len(x), 1 / len(x)))


def test_a_single_run_gives_the_boltzmann_factor_of_the_difference():
    x, u = draw(np.random.default_rng(4), STATES[:1], FRAMES[:1])
    wanted = energy(x, *STATES[1])
    factor = np.exp(u[0] - wanted)
    assert multistate_weights(u, FRAMES[:1], wanted) == pytest.approx(factor / factor.sum())


def test_runs_at_one_potential_are_one_run():
    rng = np.random.default_rng(5)
    x, _ = draw(rng, STATES[:1] * 2, (100, 300))
    u, wanted = energy(x, *STATES[0]), energy(x, *STATES[1])
    both = multistate_weights([u, u], (100, 300), wanted)
    assert both == pytest.approx(multistate_weights([u], (400,), wanted))


def test_the_zero_of_energy_of_a_run_does_not_matter():
    """Between potentials energies differ by thousands of kT."""
    x, u = draw(np.random.default_rng(6))
    wanted = energy(x, 1.5, 0.3)
    expected = multistate_weights(u, FRAMES, wanted)
    shifted = multistate_weights(u + np.array([[0.0], [5000.0], [-3000.0]]), FRAMES, wanted - 1e4)
    assert shifted == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("apart", [3.0, 6.0, 10.0, 100.0])
@pytest.mark.parametrize("zero", [0.0, 500.0, -500.0])
def test_a_run_that_shares_nothing_adds_nothing(apart, zero):
    states, frames = ((1.0, 0.0), (1.0, apart)), (300, 300)
    _, u = draw(np.random.default_rng(7), states, frames)
    u[1] += zero
    w = multistate_weights(u, frames, u[0])
    own = w[:300]
    # frames of the other run weigh what the overlap of the states lets them
    overlap = math.erfc(apart / math.sqrt(8))
    assert own.sum() == pytest.approx(1.0, abs=0.02 + overlap)
    assert 290 < effective_samples(w) < 301 + 600 * overlap
    if apart >= 10:
        assert own == pytest.approx(np.full(300, 1 / 300), rel=1e-4)
        assert w[300:].sum() < 1e-6


def test_other_runs_add_to_what_the_run_at_the_potential_tells():
    rng = np.random.default_rng(8)
    _, u = draw(rng, ((1.0, 0.0), (1.0, 0.3)), (400, 400))
    ess = effective_samples(multistate_weights(u, (400, 400), u[0]))
    assert 500 < ess < 800


@pytest.mark.parametrize("k", [1.2, 1.5, 1.9])
def test_effective_samples_of_a_stiffer_oscillator(k):
    """From stiffness 1 to k: n <w>²/<w²> = n sqrt(2k - 1)/k."""
    x, u = draw(np.random.default_rng(9), STATES[:1], (20_000,))
    w = multistate_weights(u, (20_000,), energy(x, k, 0.0))
    assert effective_samples(w) == pytest.approx(20_000 * math.sqrt(2 * k - 1) / k, rel=0.02)


def test_effective_samples_of_even_and_single_weights():
    assert effective_samples(np.full(7, 3.0)) == pytest.approx(7.0)
    assert effective_samples([0.0, 2.0, 0.0]) == 1.0


@pytest.mark.parametrize("apart", [0.0, 3.0, 200.0])
def test_free_energies_leave_no_run_short_of_frames(apart):
    """Near, far, and so far apart that nothing is shared: each run has as many as it brought."""
    states = tuple((k, c + apart * i) for i, (k, c) in enumerate(STATES))
    _, u = draw(np.random.default_rng(4), states)
    n = np.array(FRAMES, dtype=float)
    f = free_energies(u, n)
    assert f[0] == 0.0
    logs = (np.log(n) + f)[:, None] - u
    share = np.exp(logs - logsumexp(logs, axis=0)).sum(axis=1)
    assert share == pytest.approx(n, abs=1e-6 * n.sum())
