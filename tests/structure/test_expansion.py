"""Slopes through points with errors, and the expansion that follows from densities."""

import numpy as np
import pytest

from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.expansion import linear_expansion
from lammpsfit.structure.line import weighted_slope


def test_the_error_of_a_slope_is_the_scatter_of_slopes():
    rng = np.random.default_rng(1)
    x, errors = np.array([0.0, 1.0, 3.0, 4.0]), np.array([0.1, 0.3, 0.2, 0.1])
    slopes = [
        weighted_slope(x, 2 * x + errors * rng.normal(size=4), errors).mean for _ in range(2000)
    ]
    one = weighted_slope(x, 2 * x, errors)
    assert np.mean(slopes) == pytest.approx(one.mean, abs=4 * one.error / 2000**0.5)
    assert np.std(slopes) == pytest.approx(one.error, rel=0.1)


def test_points_off_the_line_make_the_error_larger():
    x, errors = np.arange(3.0), np.full(3, 0.1)
    straight, bent = (weighted_slope(x, y, errors) for y in (x, x + np.array([0.0, 1.0, 0.0])))
    assert bent.error == pytest.approx(straight.error * (2 / 3) ** 0.5 / 0.1)


def test_two_densities_are_a_difference():
    a, b = Estimate(2.20, 0.002), Estimate(2.18, 0.001)
    found = linear_expansion([300.0, 700.0], [a, b])
    assert found.mean == pytest.approx(np.log(2.20 / 2.18) / 3 / 400)
    error = np.hypot(0.002 / 2.20, 0.001 / 2.18) / 3 / 400
    assert found.error == pytest.approx(error)
    assert np.isnan(linear_expansion([300.0, 700.0], [a, Estimate(2.18, float("nan"))]).mean)
