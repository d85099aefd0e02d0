import math

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.structure.blocks import autocorrelation_time, block_estimate, drift


def ar1(rng, n, phi):
    """x_t = φ x_(t-1) + noise, of unit variance: ρ(t) = φ^t."""
    noise = rng.normal(size=n) * math.sqrt(1.0 - phi**2)
    x = np.empty(n)
    x[0] = rng.normal()
    for t in range(1, n):
        x[t] = phi * x[t - 1] + noise[t]
    return x


@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_block_error_is_the_spread_of_independent_runs(phi):
    rng = np.random.default_rng(0)
    runs = [block_estimate(3.0 + ar1(rng, 1000, phi), 10) for _ in range(250)]
    means = np.array([run.mean for run in runs])
    error = math.sqrt(np.mean([run.error**2 for run in runs]))
    assert error == pytest.approx(means.std(ddof=1), rel=0.15)
    assert means.mean() == pytest.approx(3.0, abs=4.0 * error / math.sqrt(250))


def test_mean_uses_every_frame():
    series = np.arange(23.0)
    assert block_estimate(series, 5).mean == pytest.approx(11.0)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_autocorrelation_time_of_a_known_process(phi):
    series = ar1(np.random.default_rng(1), 40_000, phi)
    assert autocorrelation_time(series) == pytest.approx(0.5 * (1 + phi) / (1 - phi), rel=0.12)


def test_autocorrelation_time_of_a_constant():
    assert autocorrelation_time(np.full(50, 0.1)) == 0.5


def test_autocorrelation_time_ignores_shift_and_scale():
    series = ar1(np.random.default_rng(2), 2000, 0.7)
    assert autocorrelation_time(-5.0 * series + 100.0) == pytest.approx(
        autocorrelation_time(series)
    )


def test_drift_of_a_straight_line():
    estimate = drift(2.0 + np.linspace(0.0, 3.0, 101), n_blocks=7)
    assert estimate.mean == pytest.approx(3.0)
    assert estimate.error == pytest.approx(0.0, abs=1e-12)


def test_drift_takes_uneven_times():
    times = np.concatenate([np.linspace(0.0, 1.0, 30), np.linspace(1.1, 10.0, 30)])
    assert drift(-0.4 * times, times, 5).mean == pytest.approx(-4.0)


def test_drift_error_is_the_spread_of_independent_runs():
    rng = np.random.default_rng(3)
    runs = [drift(np.linspace(0.0, 0.5, 400) + rng.normal(size=400)) for _ in range(300)]
    changes = np.array([run.mean for run in runs])
    error = math.sqrt(np.mean([run.error**2 for run in runs]))
    assert error == pytest.approx(changes.std(ddof=1), rel=0.15)
    assert changes.mean() == pytest.approx(0.5, abs=4.0 * error / math.sqrt(300))


def test_wrong_series_are_refused():
    with pytest.raises(InputError, match="one dimension"):
        block_estimate(np.ones((5, 2)), 2)
    with pytest.raises(InputError, match="at least 2 blocks are needed, got 1"):
        block_estimate(np.ones(5), 1)
    with pytest.raises(InputError, match="10 blocks need at least as many frames, got 5"):
        block_estimate(np.ones(5), 10)
    with pytest.raises(InputError, match="at least 3 blocks"):
        drift(np.ones(5), n_blocks=2)
    with pytest.raises(InputError, match="times must increase"):
        drift(np.ones(10), np.zeros(10), 3)
    with pytest.raises(RunError, match="frame 3 of 4 is nan: the run has blown up"):
        block_estimate([1.0, 2.0, math.nan, 3.0], 2)
