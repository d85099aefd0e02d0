"""Responses of independent samples put together, against sums by hand."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.fit.newton.local_model import LocalModel, Several
from lammpsfit.structure.fluctuations import Response, linear_response, stacked

SHARES = (0.25, 0.75)


def response(rng, n_blocks, K, noise=0.3, d=2):
    """Observables that answer to two parameters, in blocks of 50 frames."""
    dU = rng.standard_normal((50 * n_blocks, d))
    A = 1 + dU @ rng.standard_normal((d, K)) + noise * rng.standard_normal((len(dU), K))
    return linear_response(A, dU, 2.0, np.repeat(np.arange(n_blocks), 50))


@pytest.fixture
def responses():
    rng = np.random.default_rng(5)
    return [response(rng, 5, 3), response(rng, 9, 4)]


def toy(y, J, F, ys, Js):
    """One observable of one parameter."""
    return Response.of(
        np.array([y]), np.array([[J]]), np.array([[F]]), np.c_[ys], np.c_[Js][:, :, None]
    )


def test_two_toy_conditions_by_hand():
    """One observable and parameter each, of two and three blocks."""
    one = toy(2.0, 3.0, 5.0, [1.0, 3.0], [2.0, 4.0])
    two = toy(1.0, 7.0, 1.0, [0.0, 1.0, 2.0], [7.0, 6.0, 8.0])
    both = stacked([one, two], [0.36, 0.64])
    assert both.mean == pytest.approx([0.6 * 2, 0.8 * 1])
    assert both.jacobian.ravel() == pytest.approx([0.6 * 3, 0.8 * 7])
    assert both.metric == pytest.approx(6.0)
    assert both.means.shape == (5, 2)
    # (B - 1)/B Σ dev²: 1/2 · 2 of the first, 2/3 · 2 of the second
    assert both.mean_error**2 == pytest.approx([0.36 * 1.0, 0.64 * 4 / 3])
    model = LocalModel(both, 1.0).quadratic
    y2 = 0.36 * 4 + 0.64 * 1
    assert model.constant == pytest.approx(y2 - 0.36 * 1.0 - 0.64 * 4 / 3)
    # Jᵀy and the covariance of y and J: 1/2 · 2 of the first, 2/3 · 1 of the second
    assert model.g == pytest.approx([0.36 * (6 + 1) + 0.64 * (7 + 2 / 3)])
    assert model.H[0] == pytest.approx([0.36 * (9 + 1) + 0.64 * (49 + 4 / 3)])


def test_the_squared_costs_and_their_models_add_up(responses):
    both = LocalModel(stacked(responses, SHARES), 1.0).quadratic
    alone = [LocalModel(r, 1.0).quadratic for r in responses]
    for part in ("constant", "g", "H"):
        expected = sum(s * getattr(m, part) for s, m in zip(SHARES, alone, strict=True))
        assert getattr(both, part) == pytest.approx(expected)


def test_variances_add_and_samples_do_not_covary(responses):
    both = stacked(responses, SHARES)
    errors = [np.sqrt(s) * r.mean_error for s, r in zip(SHARES, responses, strict=True)]
    assert both.mean_error == pytest.approx(np.concatenate(errors))
    errors = [np.sqrt(s) * r.jacobian_error for s, r in zip(SHARES, responses, strict=True)]
    assert both.jacobian_error == pytest.approx(np.concatenate(errors))
    deviations = both.means - both.means.mean(axis=0)
    assert deviations.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert deviations[:, :3].T @ deviations[:, 3:] == pytest.approx(0, abs=1e-12)


def test_errors_of_the_cost_and_of_its_fall_add_in_squares():
    """To first order in the noise, as any jackknife."""
    rng = np.random.default_rng(8)
    several = [response(rng, 40, 3, noise=0.01), response(rng, 60, 4, noise=0.01)]
    both, s = LocalModel(stacked(several, SHARES), 1.0), np.array([1e-3, -2e-3])
    alone = [LocalModel(r, 1.0) for r in several]
    errors = [share * m.error for share, m in zip(SHARES, alone, strict=True)]
    assert both.error == pytest.approx(np.hypot(*errors), rel=0.03)
    falls = [m.decrease(s) for m in alone]
    expected = sum(share * fall.mean for share, fall in zip(SHARES, falls, strict=True))
    assert both.decrease(s).mean == pytest.approx(expected)
    errors = [share * fall.error for share, fall in zip(SHARES, falls, strict=True)]
    assert both.decrease(s).error == pytest.approx(np.hypot(*errors), rel=0.03)


def test_several_tell_as_much_as_the_one_that_tells_least(responses):
    parts = {
        name: (share, lambda runs, x, r=r, n=n: LocalModel(r, n, n / 10))
        for name, share, r, n in zip("ab", SHARES, responses, (30.0, 20.0), strict=True)
    }
    model = Several(parts)([(np.zeros(2), {"a": None, "b": None})], np.zeros(2))
    assert (model.samples, model.runs) == (20.0, 2.0)
    assert model.response.mean == pytest.approx(stacked(responses, SHARES).mean)


def test_one_alone_is_left_as_it_is(responses):
    alone = LocalModel(responses[0], 3.0)
    model = Several({"a": (1.0, lambda runs, x: alone)})([(np.zeros(2), {"a": None})], np.zeros(2))
    assert model is alone


def test_derivatives_that_nobody_asks_for_are_not_found(responses):
    def never():
        raise AssertionError("found before it was asked for")

    lazy = [Response(lambda r=r: (r.mean, r.means), never, never, r.dim) for r in responses]
    both = stacked(lazy, SHARES)
    assert both.mean == pytest.approx(stacked(responses, SHARES).mean)
    assert both.mean_noise == pytest.approx(stacked(responses, SHARES).mean_noise)
    with pytest.raises(AssertionError, match="before it was asked"):
        _ = both.jacobian


def test_responses_to_other_parameters_are_refused(responses):
    other = response(np.random.default_rng(1), 4, 2, d=3)
    with pytest.raises(InputError, match="same parameters"):
        stacked([responses[0], other], SHARES)
    with pytest.raises(InputError, match="and some"):
        stacked([], [])
