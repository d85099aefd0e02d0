from dataclasses import dataclass

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Outcome
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.conjugate_gradient import (
    DescentSettings,
    Stop,
    conjugate_gradient,
    fletcher_reeves,
    polak_ribiere,
)
from lammpsfit.fit.paper.derivatives import Differences, noise_step
from lammpsfit.fit.paper.line_search import LineSettings

EXACT = LineSettings(flat=1e-12)


@dataclass(frozen=True)
class Known:
    """Derivatives by a formula: what any other source of gradients has to provide."""

    of: callable

    def gradient(self, x, outcome, scale, domain):
        return scale * self.of(x)
        yield

    def slope(self, line, t):
        (outcome,) = yield line.at(t)[None]
        return outcome, float(line.scale * line.p @ self.of(line.at(t)))

    def finer(self):
        return None


class Quadratic:
    def __init__(self, d, seed=0):
        rng = np.random.default_rng(seed)
        Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
        self.A = Q @ np.diag(np.linspace(1, 20, d)) @ Q.T
        self.minimum = rng.uniform(0.4, 0.6, d)
        self.start = self.minimum + rng.uniform(-0.03, 0.03, d)

    def __call__(self, x):
        return float(0.1 + 0.5 * (x - self.minimum) @ self.A @ (x - self.minimum))

    def gradient(self, x):
        return self.A @ (x - self.minimum)


def drive(search, cost):
    """Run a search on `cost`, which returns a float, None or an Outcome; return result, points."""
    points = []
    batch = next(search)
    while True:
        points.extend(batch)
        outcomes = [o if isinstance(o, Outcome) else Outcome(o) for o in map(cost, batch)]
        try:
            batch = search.send(outcomes)
        except StopIteration as stop:
            return stop.value, np.array(points)


def descend(cost, x, derivatives, settings, constraint=None, scale=None):
    scale = np.ones(len(x)) if scale is None else scale
    domain = Domain(len(x), constraint)
    return drive(conjugate_gradient(x, domain, scale, derivatives, settings), cost)


@pytest.mark.parametrize("beta", [polak_ribiere, fletcher_reeves])
@pytest.mark.parametrize("d", [2, 5, 10])
def test_a_quadratic_takes_as_many_directions_as_dimensions(d, beta):
    f = Quadratic(d)
    settings = DescentSettings(beta=beta, max_iterations=d, line=EXACT)
    end, _ = descend(f, f.start, Known(f.gradient), settings)
    np.testing.assert_allclose(end.x, f.minimum, atol=1e-7)
    # One direction less does not do: the test can fail.
    fewer = DescentSettings(beta=beta, max_iterations=d - 1, line=EXACT)
    end, _ = descend(f, f.start, Known(f.gradient), fewer)
    assert np.abs(end.x - f.minimum).max() > 1e-5


@pytest.mark.parametrize("beta", [polak_ribiere, fletcher_reeves])
def test_differences_do_nearly_as_well(beta):
    f = Quadratic(6)
    settings = DescentSettings(beta=beta, line=EXACT, zero=1e-10, patience=1)
    end, _ = descend(f, f.start, Differences(noise_step(0.1, 0.0)), settings)
    np.testing.assert_allclose(end.x, f.minimum, atol=1e-4)
    assert end.iterations <= 8


def test_scaling_undoes_a_bad_choice_of_units():
    scale = np.array([0.01, 0.3, 1.0])
    f = lambda x: float(0.1 + 0.5 * np.sum(((x - 0.5) / scale) ** 2))  # noqa: E731
    gradient = lambda x: (x - 0.5) / scale**2  # noqa: E731
    x = 0.5 + 0.2 * scale
    settings = DescentSettings(max_iterations=1, line=EXACT)
    end, _ = descend(f, x, Known(gradient), settings, scale=scale)
    np.testing.assert_allclose(end.x, 0.5, atol=1e-9)
    end, _ = descend(f, x, Known(gradient), settings)
    assert np.abs(end.x - 0.5).max() > 0.01


def test_polak_ribiere_starts_afresh_where_negative():
    r_old, r = np.array([1.0, 0.0]), np.array([0.5, 0.0])
    assert polak_ribiere(r, r_old) == 0.0
    assert fletcher_reeves(r, r_old) == 0.25


def test_the_gradient_must_stay_at_zero():
    f = lambda x: 0.1 + 1e-6 * float(np.sum((x - 0.5) ** 2))  # noqa: E731
    gradient = lambda x: 2e-6 * (x - 0.5) + 1e-9  # noqa: E731
    settings = DescentSettings(patience=3, flat=100)
    end, _ = descend(f, np.full(3, 0.6), Known(gradient), settings)
    assert (end.reason, end.iterations) == (Stop.GRADIENT, 2)


def test_all_is_said_when_iterations_run_out():
    f = Quadratic(10)
    end, _ = descend(f, f.start, Known(f.gradient), DescentSettings(max_iterations=2))
    assert end.reason is Stop.ITERATIONS
    assert "allow more" in end.reason


def test_a_start_that_fails_ends_the_descent():
    end, points = descend(lambda x: None, np.full(3, 0.5), Differences(0.1), DescentSettings())
    assert end.reason is Stop.START
    assert len(points) == 1


def test_the_minimum_on_a_face_is_found():
    f = lambda x: 0.1 + float((x[0] + 0.3) ** 2 + (x[1] - 0.6) ** 2)  # noqa: E731
    end, points = descend(f, np.array([0.5, 0.2]), Differences(1e-5), DescentSettings())
    np.testing.assert_allclose(end.x, [0.0, 0.6], atol=1e-3)
    assert points.min() >= 0
    assert points.max() <= 1


def test_no_point_breaks_the_constraint():
    constraint = lambda X: 0.55 - X.sum(axis=1) / 2  # noqa: E731
    f = lambda x: 0.1 + float(np.sum((x - 0.8) ** 2))  # noqa: E731
    end, points = descend(f, np.array([0.1, 0.3]), Differences(1e-4), DescentSettings(), constraint)
    assert (constraint(points) >= 0).all()
    assert f(end.x) < 0.35


def test_failures_shorten_the_way():
    f = lambda x: None if x[0] > 0.7 else 0.1 + float((x[0] - 0.69) ** 2 + x[1] ** 2)  # noqa: E731
    start = np.array([0.2, 0.4])
    settings = DescentSettings(line=LineSettings(probe=0.8))
    end, points = descend(f, start, Differences(1e-5), settings)
    assert (points[:, 0] > 0.7).any(), "nothing failed, nothing tested"
    assert f(end.x) < 0.101


def test_failed_differences_are_taken_the_other_way():
    f = lambda x: None if x[0] > 0.5 else 0.1 + float(np.sum((x - 0.3) ** 2))  # noqa: E731
    end, _ = descend(f, np.array([0.5, 0.5]), Differences(1e-6), DescentSettings())
    np.testing.assert_allclose(end.x, 0.3, atol=1e-3)


def test_noise_does_not_lead_uphill():
    f = Quadratic(4)
    rng = np.random.default_rng(0)
    noisy = lambda x: Outcome(f(x) + 1e-3 * rng.standard_normal(), 1e-3)  # noqa: E731
    step = noise_step(0.1, 1e-3)
    for _ in range(5):
        end, _ = descend(noisy, f.start, Differences(step), DescentSettings())
        assert f(end.x) < f(f.start) + 2e-3
        assert f(end.x) < 0.103


def test_curvature_misleads_forward_differences_only():
    f = lambda x: Outcome(0.1 + float((x[0] - 0.5) ** 2))  # noqa: E731
    for central, expected in ((False, 0.1), (True, 0.0)):
        source = Differences(0.1, central)
        gradient = source.gradient(np.array([0.5]), Outcome(0.1), np.ones(1), Domain(1))
        g, _ = drive(gradient, lambda x: f(x))
        assert g[0] == pytest.approx(expected, abs=1e-12)


def test_the_step_grows_with_the_noise():
    assert noise_step(0.1, 0.0) < 1e-6 < noise_step(0.1, 1e-5) < noise_step(0.1, 1e-3)
    assert noise_step(0.1, 1.0) == 0.25


@pytest.mark.parametrize("name", ["max_iterations", "patience", "flat"])
def test_settings_are_checked(name):
    with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
        DescentSettings(**{name: 0})
