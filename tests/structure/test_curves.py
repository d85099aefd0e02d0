import numpy as np
import pytest

from lammpsfit.structure.curves import first_peak, jackknife, mean, overlap, peak

THETA = np.arange(180) + 0.5


def bell(centre, width=8.0):
    return np.exp(-((THETA - centre) ** 2) / (2 * width**2))


@pytest.mark.parametrize("centre", [90.0, 105.3, 144.8])
def test_peak_and_mean_of_a_bell(centre):
    position, height = peak(THETA, bell(centre))
    assert position == pytest.approx(centre, abs=0.05)
    assert height == pytest.approx(1.0, abs=0.02)
    assert mean(THETA, bell(centre)) == pytest.approx(centre, abs=0.01)


def test_a_peak_is_found_below_the_noise_of_its_points():
    rng = np.random.default_rng(0)
    noisy = [peak(THETA, bell(105.3) + rng.normal(0, 0.02, 180))[0] for _ in range(200)]
    assert np.mean(noisy) == pytest.approx(105.3, abs=0.1)
    assert np.std(noisy) < 0.5


def test_the_first_peak_is_not_the_highest():
    q = np.linspace(0, 12, 121)
    S = 1 + 0.5 * np.exp(-((q - 1.6) ** 2) / 0.1) + 0.9 * np.exp(-((q - 5) ** 2) / 0.5)
    S[q < 1] -= 0.5
    position, height = first_peak(q, S, 0.15)
    assert position == pytest.approx(1.6, abs=0.02)
    assert height == pytest.approx(1.5, abs=0.05)
    noisy = S + np.random.default_rng(5).normal(0, 0.04, q.size)
    assert first_peak(q, noisy, 0.15)[0] == pytest.approx(1.6, abs=0.1)


def test_where_there_is_no_peak_there_is_none():
    assert np.isnan(first_peak(np.arange(5.0), np.ones(5), 1.0)).all()
    assert np.isnan(peak(np.arange(5.0), np.zeros(5))).all()
    assert np.isnan(mean(np.arange(5.0), np.zeros(5)))


def test_overlap_of_two_bells():
    # two Gaussians of one width s, d apart, share erfc(d / (2 √2 s)): here d = 2 s
    assert overlap(bell(100, 8.0), 3 * bell(116, 8.0)) == pytest.approx(0.3173, abs=1e-3)
    assert overlap(bell(100), bell(100)) == pytest.approx(1)


def test_jackknife_of_a_mean_is_the_standard_error():
    blocks = np.random.default_rng(3).normal(5, 1, (30, 4))
    found = jackknife(blocks, lambda values: float(values[0]))
    assert found.mean == pytest.approx(blocks[:, 0].mean())
    assert found.error == pytest.approx(blocks[:, 0].std(ddof=1) / np.sqrt(30))
    assert np.isnan(jackknife(blocks[:1], lambda values: float(values[0])).error)
