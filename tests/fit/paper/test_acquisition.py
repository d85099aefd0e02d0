import numpy as np
import pytest
from scipy.stats import norm

from lammpsfit.fit.paper.acquisition import (
    log_expected_improvement,
    log_expected_improvement_derivatives,
    log_h,
)


def test_textbook_formula_where_that_is_stable():
    mean, sd, best = np.linspace(-3, 3, 25), np.linspace(0.5, 2, 25), 0.4
    z = (best - mean) / sd
    textbook = (best - mean) * norm.cdf(z) + sd * norm.pdf(z)
    np.testing.assert_allclose(
        np.exp(log_expected_improvement(mean, sd, best)), textbook, rtol=1e-11
    )


def test_finite_and_rising_far_below():
    z = -np.geomspace(1e12, 1e-3, 4000)
    values = log_h(z)
    assert np.isfinite(values).all()
    assert np.all(np.diff(values) > 0)
    assert np.isfinite(log_expected_improvement([30.0], [1.0], 0.0)).all()


@pytest.mark.parametrize("seam", [-1.0, -1e3])
def test_branches_meet(seam):
    below, above = log_h([seam * (1 + 1e-13), seam * (1 - 1e-13)])
    assert above - below == pytest.approx(0.0, abs=1e-9 * max(1.0, abs(above)))


@pytest.mark.parametrize("z", [3.0, 0.0, -5.0, -30.0, -300.0])
def test_derivatives(z):
    mean, sd, h = -1.3 * z, 1.3, 1e-6
    by_mean, by_sd = log_expected_improvement_derivatives(mean, sd, 0.0)
    at = lambda m, s: float(log_expected_improvement(m, s, 0.0)[0])  # noqa: E731
    numeric = (at(mean + h, sd) - at(mean - h, sd)) / (2 * h)
    assert by_mean[0] == pytest.approx(numeric, rel=1e-5)
    assert by_sd[0] == pytest.approx((at(mean, sd + h) - at(mean, sd - h)) / (2 * h), rel=1e-5)


def test_doubt_and_promise_both_count():
    by_mean, by_sd = log_expected_improvement_derivatives(
        np.linspace(-2, 50, 20), np.full(20, 0.7), 0.0
    )
    assert np.all(by_mean < 0)
    assert np.all(by_sd > 0)
