import math

import numpy as np
import pytest
from scipy.integrate import quad

from lammpsfit.errors import InputError
from lammpsfit.forcefield import DampedShiftedForce

DSF = DampedShiftedForce(0.25, 8.0)


def test_energy_and_slope_vanish_at_the_cutoff():
    r = np.array([8.0 - 1e-7])
    assert DSF.energy(r)[0] == pytest.approx(0.0, abs=1e-12)
    assert DSF.slope(r)[0] == pytest.approx(0.0, abs=1e-6)
    assert not DSF.energy(np.array([8.0, 9.0])).any()
    assert not DSF.slope(np.array([8.0, 9.0])).any()


def test_energy_is_minus_the_integral_of_the_slope_to_the_cutoff():
    for r in (1.0, 2.5, 6.0):
        integral, _ = quad(lambda x: float(DSF.slope(np.float64(x))), r, 8.0, epsabs=1e-12)
        assert DSF.energy(np.array(r)) == pytest.approx(-integral, abs=1e-9)


def test_is_bare_coulomb_for_no_damping_and_far_cutoff():
    far = DampedShiftedForce(0.0, 1e9)
    np.testing.assert_allclose(far.energy(np.array([1.0, 3.0])), [1.0, 1 / 3], rtol=1e-8)
    assert far.self_energy(1.0) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(
    ("alpha", "cutoff", "message"),
    [
        (-0.1, 8.0, "alpha must be zero or positive"),
        (math.nan, 8.0, "alpha must be"),
        (0.25, 0.0, "coulomb cutoff must be positive"),
        (0.25, math.inf, "coulomb cutoff must be positive"),
    ],
)
def test_refuses_senseless_values(alpha, cutoff, message):
    with pytest.raises(InputError, match=message):
        DampedShiftedForce(alpha, cutoff)
