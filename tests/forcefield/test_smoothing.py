import numpy as np
import pytest

from lammpsfit.forcefield.smoothing import ended, ended_slope, fade, fade_slope

R, GAMMA, STEP = 8.0, 0.2, 1e-6


def v(r):
    return 3.0 * np.exp(-r / 2.0) - 40.0 / r**3


def slope(r):
    return -1.5 * np.exp(-r / 2.0) + 120.0 / r**4


def test_fade_goes_from_one_to_zero_at_the_cutoff():
    r = np.array([0.5, R - GAMMA, R - 1e-3, np.nextafter(R, 0.0), R, R + 1.0])
    np.testing.assert_allclose(fade(r, R, GAMMA), [0.9993, np.exp(-1.0), 0, 0, 0, 0], rtol=1e-4)
    assert not fade_slope(r[2:], R, GAMMA).any()


@pytest.mark.parametrize("gamma", [0.0, GAMMA])
def test_slope_is_the_derivative(gamma):
    r = np.linspace(1.0, R - 1e-4, 200)
    up, down = (ended(v, r + s, R, gamma) for s in (STEP, -STEP))
    found = ended_slope(v, slope, r, R, gamma)
    np.testing.assert_allclose(found, (up - down) / (2 * STEP), rtol=1e-6, atol=1e-7)


def test_plain_end_is_the_term_itself():
    r = np.array([1.0, 7.999, R, 9.0])
    np.testing.assert_array_equal(ended(v, r, R, 0.0), [*v(r[:2]), 0.0, 0.0])
    np.testing.assert_array_equal(ended_slope(v, slope, r, R, 0.0), [*slope(r[:2]), 0.0, 0.0])


def test_smooth_end_is_shifted_and_faded():
    r = np.array([1.0, 7.0, 7.8, R, 9.0])
    np.testing.assert_allclose(ended(v, r, R, GAMMA), (v(r) - v(R)) * fade(r, R, GAMMA))


def test_rows_are_ended_one_by_one():
    def rows(r):
        return np.stack([v(r), 2.0 * v(r)])

    for r in (np.array(3.0), np.array([3.0, 7.9]), np.full((2, 3), 7.0)):
        np.testing.assert_allclose(ended(rows, r, R, GAMMA)[1], 2.0 * ended(v, r, R, GAMMA))
