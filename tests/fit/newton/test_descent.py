"""Descents by the fluctuations of runs, on ensembles and valleys that are known exactly."""

import gc
import weakref
from dataclasses import dataclass, field

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Outcome
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.descent import End, GaussNewtonSettings, Seen, Trail, descend, ranked
from lammpsfit.fit.newton.local_model import LocalModel
from lammpsfit.structure.fluctuations import Response, linear_response
from lammpsfit.structure.reweighting import effective_samples, multistate_weights

BLOCKS = 10


class Particle:
    """A particle on a line, in kT: its positions are drawn exactly, a histogram is the target."""

    dimension = 3
    truth = np.array([0.6, 0.35, 0.5])
    start = np.array([0.15, 0.8, 0.2])

    def __init__(self, frames=300):
        self.frames = frames
        self.q = np.linspace(-3, 3, 240)
        self.bins = np.repeat(np.arange(24), 10)
        self.target = self.histogram(self.truth)

    def energy(self, x):
        """A spring, from soft to stiff, where it rests, and a wall: shape (240,)."""
        return 0.5 * np.exp(4 * x[0]) * (self.q - 2 * x[1] + 1) ** 2 + x[2] ** 2 * self.q**4

    def energy_gradient(self, x):
        k, q, r = np.exp(4 * x[0]), self.q, self.q - 2 * x[1] + 1
        return np.stack([2 * k * r**2, -2 * k * r, 2 * x[2] * q**4], axis=1)

    def density(self, x):
        w = np.exp(-self.energy(x))
        return w / w.sum()

    def histogram(self, x):
        return np.bincount(self.bins, self.density(x))

    def cost2(self, x):
        """The squared cost without any noise."""
        off = self.histogram(x) - self.target
        return float(off @ off / (self.target @ self.target))

    def metric(self, x):
        return np.cov(self.energy_gradient(x).T, ddof=0, aweights=self.density(x))

    def run(self, x, seed):
        rng = np.random.default_rng([3, seed])
        return rng.choice(len(self.q), self.frames, p=self.density(x))

    def __call__(self, runs, x):
        cells = np.concatenate([run for _, run in runs])
        counts = [len(run) for _, run in runs]
        reduced = np.array([self.energy(u)[cells] for u, _ in runs])
        weights = multistate_weights(reduced, counts, self.energy(x)[cells])
        y = (np.eye(24)[self.bins[cells]] - self.target) / np.linalg.norm(self.target)
        dU = self.energy_gradient(x)[cells]
        labels = np.concatenate(
            [k * BLOCKS + np.arange(n) * BLOCKS // n for k, n in enumerate(counts)]
        )
        response = linear_response(y, dU, 1.0, labels, weights)
        by_run = [float(part.sum()) for part in np.split(weights, np.cumsum(counts)[:-1])]
        return LocalModel(response, effective_samples(weights), effective_samples(by_run))


class NonlinearModel:
    """Residuals with a narrow, curved valley; a run is the noise of its blocks, which all share."""

    dimension = 2
    truth = np.array([2 / 3, 0.6])
    start = np.array([0.1, 0.6])
    floor = 0.2

    def __init__(self, noise=0.01, slow=0.0):
        self.noise, self.slow = noise, slow

    def residuals(self, x):
        u, v = self.uv(x)
        return np.array([5 * (v - u**2), 1 - u, self.floor])

    def uv(self, x):
        """Return Rosenbrock's coordinates, the minimum at (1, 1)."""
        return -2.0 + 4.5 * x[0], -0.5 + 2.5 * x[1]

    def jacobian(self, x):
        u, _ = self.uv(x)
        return np.array([[-10 * u * 4.5, 5 * 2.5], [-4.5, 0.0], [0.0, 0.0]])

    def cost2(self, x):
        y = self.residuals(x)
        return float(y @ y)

    def metric(self, x):
        """So that a length of 5 is a tenth of the cube."""
        return 50.0**2 * np.eye(2)

    def run(self, x, seed):
        rng = np.random.default_rng([4, seed])
        noise = self.noise * np.sqrt(BLOCKS) * rng.standard_normal((BLOCKS, 3, 3))
        noise[:, :, 0] += self.slow * rng.standard_normal(3)
        return noise

    def __call__(self, runs, x):
        exact = np.column_stack([self.residuals(x), self.jacobian(x)])
        blocks = exact + np.concatenate([run for _, run in runs])
        n = len(blocks)
        whole = blocks.mean(axis=0)
        without = (n * whole - blocks) / (n - 1)
        response = Response.of(
            whole[:, 0], whole[:, 1:], self.metric(x), without[:, :, 0], without[:, :, 1:]
        )
        return LocalModel(response, float(n), float(len(runs)))


def cost_of(toy, x, seed, fails):
    """Evaluate a point as a run does."""
    if fails(x):
        return Outcome(None)
    run = toy.run(x, seed)
    return Outcome(float(np.sqrt(toy.cost2(x))), 0.01, run=run)


@dataclass
class Played:
    """What came of a descent."""

    trail: Trail
    end: End | None = None
    batches: list = field(default_factory=list)
    seen: list = field(default_factory=list)

    @property
    def tries(self):
        return [wanted for batch in self.batches for wanted in batch]

    @property
    def best(self):
        """The point of lowest pooled cost."""
        return ranked(self.trail, 1)[0][0].x


def never(x):
    return False


def play(toy, start=None, most=60, seed=0, fails=never, constraint=None, **settings):
    """Drive a descent with the runs of a toy; `end` stays None where it takes more than `most`."""
    played = Played(Trail(toy, GaussNewtonSettings(**settings)))
    start = toy.start if start is None else start
    descent = descend(start, Domain(toy.dimension, constraint), played.trail)
    batch = next(descent)
    while len(played.seen) < most:
        played.batches.append(batch)
        first = len(played.seen)
        told = [
            Seen(first + i, wanted.x, cost_of(toy, wanted.x, 1000 * seed + first + i, fails))
            for i, wanted in enumerate(batch)
        ]
        played.seen += told
        try:
            batch = descent.send(told)
        except StopIteration as stop:
            played.end = stop.value
            break
    return played


def length(s, F):
    return float(np.sqrt(s @ F @ s))


# The toys are right


@pytest.mark.parametrize("toy", [Particle(), NonlinearModel()])
def test_the_toys_are_least_squares_with_a_minimum_at_the_truth(toy):
    h, x = 1e-6, toy.start
    floor = toy.cost2(toy.truth)
    around = toy.truth + 1e-3 * np.random.default_rng(0).standard_normal((20, toy.dimension))
    assert min(toy.cost2(near) for near in around) > floor
    runs = [(x, np.concatenate([toy.run(x, seed) for seed in range(20)]))]
    model = toy(runs, x)
    g = [(toy.cost2(x + e) - toy.cost2(x - e)) / (4 * h) for e in h * np.eye(toy.dimension)]
    assert model.quadratic.constant == pytest.approx(toy.cost2(x), rel=0.05)
    np.testing.assert_allclose(model.quadratic.g, g, atol=0.05 * np.abs(g).max())
    np.testing.assert_allclose(model.response.metric, toy.metric(x), rtol=0.2, atol=0.5)


# Where it goes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_finds_the_potential_behind_a_histogram(seed):
    toy = Particle()
    played = play(toy, seed=seed, most=40, memory=8)
    assert toy.cost2(toy.start) > 0.5
    assert played.end is End.QUIET
    assert toy.cost2(played.best) < 5e-3
    # less than one kT from the truth, whatever the softest direction
    assert length(played.best - toy.truth, toy.metric(toy.truth)) < 1.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_follows_a_curved_valley_to_its_end(seed):
    toy = NonlinearModel()
    played = play(toy, seed=seed)
    assert played.end is End.QUIET
    np.testing.assert_allclose(played.best, toy.truth, atol=0.02)
    assert toy.cost2(played.best) < toy.cost2(toy.truth) * 1.1


def test_steps_that_only_together_are_more_than_noise_go_on():
    toy = NonlinearModel()
    bottom = np.array([2 / 9, 0.6])
    one = {"radius": 1.0, "largest": 1.0, "reach": 0.1, "spread": 0.04, "patience": 9}
    played = play(toy, start=bottom, most=200, **one)
    costs = np.array([toy.cost2(seen.x) for seen in played.seen])
    crawl = costs[: np.argmax(costs < 2.5)]
    falls = -np.diff(crawl) / crawl[:-1]
    assert len(falls) > one["patience"]
    assert (falls < 2 * np.sqrt(2) * one["spread"]).all(), "a single step shows, nothing tested"
    assert played.end is End.QUIET
    np.testing.assert_allclose(played.best, toy.truth, atol=0.05)


def test_exact_residuals_take_a_few_runs():
    toy = NonlinearModel(noise=1e-6)
    played = play(toy, most=25, spread=0.0)
    np.testing.assert_allclose(played.best, toy.truth, atol=1e-4)


@pytest.mark.parametrize("toy", [Particle(), NonlinearModel(noise=0.03, slow=0.02)])
def test_at_the_minimum_it_ends_and_does_not_wander(toy):
    settings = GaussNewtonSettings()
    for seed in range(3):
        played = play(toy, start=toy.truth, seed=seed, most=30, memory=8)
        assert played.end is End.QUIET
        assert len(played.tries) >= 1 + settings.patience
        F = toy.metric(toy.truth)
        assert max(length(wanted.x - toy.truth, F) for wanted in played.tries) < settings.radius
        assert length(played.best - toy.truth, F) < 1.5


def test_it_keeps_to_the_allowed_part():
    toy = NonlinearModel()
    constraint = lambda X: np.stack([0.55 - X[:, 0], X[:, 1] - 0.1], axis=1)  # noqa: E731
    played = play(toy, constraint=constraint)
    points = np.array([wanted.x for wanted in played.tries])
    assert (constraint(points) >= 0).all()
    assert played.end is End.QUIET
    # the lowest point of the edge is where the valley meets it
    grid = [np.array([0.55, v]) for v in np.linspace(0.1, 1, 901)]
    np.testing.assert_allclose(played.best, min(grid, key=toy.cost2), atol=0.02)


# Failures


def pit(x):
    """Where the first step from the start of the valley leads."""
    return bool(np.sum((x - [0.2, 0.6]) ** 2) < 0.03**2)


def test_a_failing_region_shortens_steps_and_is_gone_around():
    toy = NonlinearModel()
    played = play(toy, fails=pit)
    failed = [i for i, seen in enumerate(played.seen) if not seen.outcome.ok]
    assert failed, "nothing failed, nothing tested"
    F, smallest = toy.metric(toy.start), played.trail.settings.smallest
    for i in failed:
        wanted, following = played.tries[i], played.tries[i + 1]
        if wanted.origin == following.origin:
            here = played.seen[wanted.origin].x
            before, after = (length(tried.x - here, F) for tried in (wanted, following))
            assert after < max(0.5 * before, smallest * (1 + 1e-6))
    assert played.end is End.QUIET
    np.testing.assert_allclose(played.best, toy.truth, atol=0.02)


def test_in_front_of_a_wall_it_ends():
    toy = NonlinearModel()
    played = play(toy, fails=lambda x: bool(x[0] > 0.35), most=100)
    assert played.end is not None
    assert not played.seen[2].outcome.ok or not played.seen[3].outcome.ok
    assert 0.3 < played.best[0] <= 0.35
    assert toy.cost2(played.best) < 2.5


def test_a_start_that_fails_twice_ends_it():
    played = play(NonlinearModel(), fails=lambda x: True)
    assert played.end is End.FAILED
    assert len(played.tries) == 2
    assert not played.trail.runs
    for wanted in played.tries:
        np.testing.assert_array_equal(wanted.x, NonlinearModel.start)
        assert wanted.origin is None


def test_a_start_that_fails_once_is_forgiven():
    failures = iter([True])
    played = play(NonlinearModel(), fails=lambda x: next(failures, False))
    assert played.end is End.QUIET
    assert played.tries[2].origin == 1
    np.testing.assert_allclose(played.best, NonlinearModel.truth, atol=0.02)


@pytest.mark.parametrize("batch", [1, 2])
def test_failures_in_a_row_end_it(batch):
    toy = NonlinearModel()
    played = play(toy, fails=lambda x: bool(np.any(x != toy.start)), failures=3, batch=batch)
    assert played.end is End.FAILED
    assert len(played.tries) == 1 + 3 * batch
    assert [seen.id for seen in played.trail.runs] == [0]


def test_where_steps_fail_time_and_again_it_goes_back():
    count = iter(range(100))
    # the start and two steps are sound, all else fails
    played = play(NonlinearModel(), fails=lambda x: next(count) > 2, failures=4)
    assert played.end is End.FAILED
    assert [wanted.origin for wanted in played.tries] == [None, 0, 1, 2, 2, 1, 0]


def test_one_sound_step_of_a_batch_is_enough():
    toy = NonlinearModel()
    played = play(toy, fails=pit, most=100, batch=3, failures=1)
    assert [seen.outcome.ok for seen in played.seen[1:4]] == [False, True, True]
    assert {wanted.origin for wanted in played.batches[2]} == {2}
    assert played.end is End.QUIET
    np.testing.assert_allclose(played.best, toy.truth, atol=0.02)


# What it asks


def test_a_step_begins_where_its_evaluation_ended():
    toy = NonlinearModel()
    played = play(toy, fails=lambda x: bool(0.3 < x[0] < 0.32))
    settings = played.trail.settings
    assert [wanted.origin for wanted in played.tries[:2]] == [None, 0]
    ids = {seen.id: seen for seen in played.seen}
    for number, wanted in enumerate(played.tries[1:], start=1):
        assert wanted.origin < number
        here = ids[wanted.origin]
        assert here.outcome.ok
        assert length(wanted.x - here.x, toy.metric(here.x)) <= settings.largest * (1 + 1e-6)
    # it went from point to point, and what was worse was left
    assert len({wanted.origin for wanted in played.tries[1:]}) > 5


def test_the_radius_bounds_the_first_step_and_halves_in_a_batch():
    toy = NonlinearModel()
    played = play(toy, most=4, radius=4.0, batch=3)
    F = toy.metric(toy.start)
    lengths = [length(wanted.x - toy.start, F) for wanted in played.batches[1]]
    assert lengths == pytest.approx([4.0, 2.0, 1.0], rel=1e-3)
    assert {wanted.origin for wanted in played.batches[1]} == {0}


def test_a_batch_within_the_region_repeats_one_step():
    toy = NonlinearModel()
    played = play(toy, start=toy.truth + np.array([0.004, 0.01]), most=6, batch=2)
    first, second = played.batches[1]
    assert 0 < length(first.x - toy.truth, toy.metric(toy.truth)) < 2.0
    np.testing.assert_array_equal(first.x, second.x)


# What it remembers


def seen_at(toy, x, ids):
    return [Seen(i, x, cost_of(toy, x, i, never)) for i in ids]


@pytest.mark.parametrize("toy", [Particle(), NonlinearModel(noise=0.03)])
def test_a_point_seen_several_times_is_known_better(toy):
    x = toy.start
    errors = []
    for n in (1, 4, 16):
        trail = Trail(toy, GaussNewtonSettings())
        for seen in seen_at(toy, x, range(n)):
            trail.add(seen)
        found = trail.cost2(trail.pooled(trail.runs[0]))
        assert abs(found.mean - toy.cost2(x)) < 4 * found.error
        errors.append(found.error)
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.35)
    assert errors[2] == pytest.approx(errors[0] / 4, rel=0.35)


def test_only_runs_within_reach_are_pooled():
    toy = Particle()
    trail = Trail(toy, GaussNewtonSettings(reach=0.5))
    far = toy.truth + np.array([0.3, 0.0, 0.0])
    for seen in [*seen_at(toy, toy.truth, range(3)), *seen_at(toy, far, [3])]:
        trail.add(seen)
    first, *_, last = trail.runs
    assert trail.pooled(first).runs == pytest.approx(3.0)
    assert trail.pooled(last) is trail.alone(last)


def test_old_runs_are_forgotten():
    toy = NonlinearModel()
    trail = Trail(toy, GaussNewtonSettings(memory=4))
    descent = descend(toy.start, Domain(2), trail)
    batch, runs = next(descent), []
    for number in range(20):
        outcome = cost_of(toy, batch[0].x, number, never)
        runs.append(weakref.ref(outcome.run))
        batch = descent.send([Seen(number, batch[0].x, outcome)])
        assert len(trail.runs) <= 4
    del outcome
    gc.collect()
    # besides the runs to pool, those are held that it may go back to
    assert sum(run() is not None for run in runs) <= 2 * 4


# What is best in the end


def test_luck_does_not_win():
    toy = NonlinearModel()
    trail = Trail(toy, GaussNewtonSettings())
    good, bad = toy.truth, toy.truth + np.array([0.033, 0.13])
    assert toy.cost2(bad) > 1.5 * toy.cost2(good)
    for seen in [*seen_at(toy, bad, range(8)), *seen_at(toy, good, range(8, 12))]:
        trail.add(seen)
    # one run of the worse point happens to be without the floor
    trail.runs[3].outcome.run[:, 2, 0] -= toy.floor
    alone = {seen.id: trail.cost2(trail.alone(seen)).mean for seen in trail.runs}
    assert min(alone, key=alone.get) == 3
    (first, low), (second, high) = ranked(trail, 5)
    np.testing.assert_array_equal(first.x, good)
    np.testing.assert_array_equal(second.x, bad)
    assert low.mean < high.mean


def test_the_ranking_is_of_different_points_by_rising_cost():
    toy = NonlinearModel()
    played = play(toy)
    ranking = ranked(played.trail, 4)
    assert len(ranking) == 4
    means = [cost2.mean for _, cost2 in ranking]
    assert means == sorted(means)
    points = [seen.x for seen, _ in ranking]
    smallest = played.trail.settings.smallest
    for i, x in enumerate(points):
        for other in points[:i]:
            assert length(x - other, toy.metric(x)) > smallest / 2
    assert ranked(Trail(toy, GaussNewtonSettings()), 3) == []


# What it refuses


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smallest": 0.0}, r"must be positive and rise, got 0.0, 5.0, 20.0"),
        ({"radius": 0.4}, r"must be positive and rise, got 0.5, 0.4, 20.0"),
        ({"largest": 4.0}, r"must be positive and rise, got 0.5, 5.0, 4.0"),
        ({"radius": float("nan")}, "must be positive and rise"),
        ({"memory": 0}, "memory must be at least 1, got 0"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"failures": 0}, "failures must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"spread": -0.1}, "spread must not be negative, got -0.1"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        GaussNewtonSettings(**settings)
