"""Conjugate gradients by derivatives that evaluations tell themselves."""

from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.fit.base import Outcome
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.conjugate_gradient import DescentSettings, Stop, conjugate_gradient
from lammpsfit.fit.paper.derivatives import Differences, Line, Told, noise_step
from lammpsfit.fit.paper.explore import ExploreSettings
from lammpsfit.fit.paper.optimiser import PaperSettings, PaperStrategy

D = 6


class Bowl:
    """A cost that is no quadratic, with its gradient."""

    def __init__(self, d=D, seed=0):
        rng = np.random.default_rng(seed)
        Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
        self.A = Q @ np.diag(np.linspace(1, 10, d)) @ Q.T
        self.minimum = rng.uniform(0.4, 0.6, d)
        self.start = self.minimum + rng.uniform(-0.2, 0.2, d)

    def __call__(self, x):
        s = x - self.minimum
        return float(np.sqrt(0.01 + s @ self.A @ s))

    def gradient(self, x):
        return self.A @ (x - self.minimum) / self(x)

    def outcome(self, x, error=0.0):
        return Outcome(self(x), error, gradient=self.gradient(x))


def drive(search, evaluate):
    """Run a search; return its result and the points it asked for."""
    points = []
    batch = next(search)
    while True:
        points.extend(batch)
        try:
            batch = search.send([evaluate(x) for x in batch])
        except StopIteration as stop:
            return stop.value, np.array(points)


def descend(evaluate, x, derivatives, constraint=None, **settings):
    domain = Domain(len(x), constraint)
    search = conjugate_gradient(
        x, domain, np.ones(len(x)), derivatives, DescentSettings(**settings)
    )
    return drive(search, evaluate)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_told_gradients_take_fewer_evaluations_than_differences(seed):
    f = Bowl(seed=seed)
    settings = {"zero": 1e-10, "patience": 1}
    told, points = descend(f.outcome, f.start, Told(), **settings)
    found, more = descend(f.outcome, f.start, Differences(noise_step(0.1, 0.0)), **settings)
    for end in (told, found):
        np.testing.assert_allclose(end.x, f.minimum, atol=1e-3)
    assert len(points) < len(more) / 3


def test_each_evaluation_is_a_point_of_a_line():
    f = Bowl()
    end, points = descend(f.outcome, f.start, Told(), max_iterations=4)
    # the start, and a few points of each line: nothing is spent on gradients
    assert len(points) <= 1 + 4 * end.iterations
    assert len(np.unique(points, axis=0)) == len(points)


def test_a_gradient_is_per_unit_of_the_scale():
    f, scale = Bowl(), np.linspace(0.1, 1.0, D)
    outcome = f.outcome(f.start)
    g, points = drive(gradient_of(outcome, f.start, scale), f.outcome)
    np.testing.assert_allclose(g, scale * f.gradient(f.start))
    assert len(points) == 0


def gradient_of(outcome, x, scale):
    """Make the search for the gradient one that begins with an empty batch."""
    yield np.empty((0, len(x)))
    return (yield from Told().gradient(x, outcome, scale, Domain(len(x))))


def test_a_slope_is_the_derivative_along_the_line():
    f, scale = Bowl(), np.linspace(0.1, 1.0, D)
    p = np.random.default_rng(1).standard_normal(D)
    line = Line(f.start, p / np.linalg.norm(p), scale, Domain(D))
    t, h = 0.1, 1e-6
    (outcome, slope), points = drive(Told().slope(line, t), f.outcome)
    np.testing.assert_array_equal(points, [line.at(t)])
    assert outcome.cost == f(line.at(t))
    assert slope == pytest.approx((f(line.at(t + h)) - f(line.at(t - h))) / (2 * h), rel=1e-6)


def test_a_clipped_coordinate_adds_nothing_to_the_slope():
    x, scale = np.array([0.9, 0.05, 0.5]), np.array([1.0, 0.5, 1.0])
    line = Line(x, np.array([0.6, -0.6, np.sqrt(0.28)]), scale, Domain(3))
    g = np.array([1e3, 1e3, 2.0])
    outcome = Outcome(0.1, gradient=g)
    (_, free), _ = drive(Told().slope(line, 0.05), lambda x: outcome)
    assert free == pytest.approx(float(g @ (scale * line.p)))
    (_, slope), points = drive(Told().slope(line, 0.4), lambda x: outcome)
    assert points[0].tolist() == pytest.approx([1.0, 0.0, 0.5 + 0.4 * np.sqrt(0.28)])
    assert slope == pytest.approx(2.0 * np.sqrt(0.28))


@pytest.mark.parametrize("outcome", [Outcome(None), Outcome(0.1)])
def test_without_a_gradient_there_is_no_slope(outcome):
    line = Line(np.full(2, 0.5), np.array([1.0, 0.0]), np.ones(2), Domain(2))
    (found, slope), _ = drive(Told().slope(line, 0.1), lambda x: outcome)
    assert found is outcome
    assert slope is None


def test_a_search_without_any_gradient_ends_where_it_is():
    f = Bowl()
    end, points = descend(lambda x: Outcome(f(x)), f.start, Told())
    assert end.reason is Stop.GRADIENT
    np.testing.assert_array_equal(points, [f.start])
    np.testing.assert_array_equal(end.x, f.start)


@pytest.mark.parametrize("known", range(1, 8))
def test_a_search_that_loses_its_gradients_ends_without_an_error(known):
    f, seen = Bowl(), []

    def forgetful(x):
        seen.append(x)
        return f.outcome(x) if len(seen) <= known else Outcome(f(x))

    end, points = descend(forgetful, f.start, Told())
    assert len(points) <= known + 8
    assert end.outcome.cost <= f(f.start)


def test_failures_shorten_the_way():
    f = Bowl(2)
    fails = lambda x: np.linalg.norm(x - f.start) > 0.05  # noqa: E731
    end, points = descend(lambda x: Outcome(None) if fails(x) else f.outcome(x), f.start, Told())
    assert any(fails(x) for x in points), "nothing failed, nothing tested"
    assert not fails(end.x)
    assert f(end.x) < f(f.start)


def test_noise_does_not_lead_uphill():
    f = Bowl()
    for seed in range(5):
        rng = np.random.default_rng(seed)

        def noisy(x, rng=rng):
            g = f.gradient(x) + 0.05 * rng.standard_normal(D)
            return Outcome(f(x) + 1e-3 * rng.standard_normal(), 1e-3, gradient=g)

        end, _ = descend(noisy, f.start, Told())
        assert f(end.x) < 0.11
        assert f(f.start) > 0.3


def test_there_is_nothing_finer():
    assert Told().finer() is None


# In the strategy


class Linearise:
    """Hands out gradients of a bowl for runs, and counts."""

    def __init__(self, f):
        self.f = f
        self.calls = []

    def __call__(self, runs, x):
        ((at, run),) = runs
        np.testing.assert_array_equal(at, x)
        assert run == "frames"
        self.calls.append(x)
        return SimpleNamespace(gradient=self.f.gradient(x))


def explore_then_refine(f, linearise):
    explore = ExploreSettings(n_design=10, plateau=3, max_explore=5)
    settings = PaperSettings(explore, DescentSettings(max_iterations=4))
    return PaperStrategy(2, settings, seed=0, linearise=linearise)


def search(strategy, f):
    told = []
    while not strategy.done:
        (ask,) = strategy.ask(1)
        run = "frames" if ask.keep else None
        told.append((ask, Outcome(f(ask.x), 1e-4, run=run)))
        strategy.tell(*told[-1])
    return told


def test_refinement_asks_to_keep_and_exploration_does_not():
    f = Bowl(2)
    told = search(explore_then_refine(f, Linearise(f)), f)
    assert {ask.stage for ask, _ in told} == {"design", "explore", "refine"}
    for ask, _ in told:
        assert ask.keep == (ask.stage == "refine")
    without = search(explore_then_refine(f, None), f)
    assert not any(ask.keep for ask, _ in without)
    # up to the descent, both are the same
    explored = [ask.x for ask, _ in told if ask.stage != "refine"]
    np.testing.assert_array_equal([ask.x for ask, _ in without][: len(explored)], explored)


def test_runs_are_turned_into_gradients_and_dropped():
    f = Bowl(2)
    linearise = Linearise(f)
    strategy = explore_then_refine(f, linearise)
    told = search(strategy, f)
    refined = [ask.x for ask, _ in told if ask.stage == "refine"]
    np.testing.assert_array_equal(linearise.calls, refined)
    for ask, outcome in strategy._history.told:
        assert outcome.run is None
        if ask.stage == "refine":
            np.testing.assert_array_equal(outcome.gradient, f.gradient(ask.x))
        else:
            assert outcome.gradient is None
    assert f(strategy.best().ask.x) < 0.105


def test_it_needs_fewer_evaluations_than_with_differences():
    f = Bowl(2)
    told, without = (search(explore_then_refine(f, way), f) for way in (Linearise(f), None))
    refined, more = ([a for a, _ in them if a.stage == "refine"] for them in (told, without))
    assert len(refined) < len(more)


def test_told_a_prefix_it_asks_what_the_original_asked():
    f = Bowl(2)
    told = search(explore_then_refine(f, Linearise(f)), f)
    first = next(i for i, (ask, _) in enumerate(told) if ask.stage == "refine")
    for n in range(first - 1, len(told)):
        fresh = explore_then_refine(f, Linearise(f))
        for pair in told[:n]:
            fresh.tell(*pair)
        (ask,) = fresh.ask(1)
        assert (ask.id, ask.stage, ask.keep) == (n, told[n][0].stage, told[n][0].keep)
        np.testing.assert_array_equal(ask.x, told[n][0].x)
