"""Steps that follow the curve on which energies change as they mean."""

from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.fit.base import Outcome
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.course import CLOSE, Course, joined
from lammpsfit.fit.newton.descent import GaussNewtonSettings, Seen, Trail, _end
from lammpsfit.fit.newton.trust_region import Quadratic

FRAMES = np.random.default_rng(1).standard_normal((200, 2)) / np.sqrt(200)
X = np.array([0.5, 0.5])


def features(u):
    """A curved valley: along it the first is a parabola, and across it energies are steep."""
    along, across = u[0] - 0.5, u[1] - 0.5
    return np.array([along, 40.0 * (across - 3.0 * along**2)])


def course_of(phi, frames=FRAMES):
    h = 1e-6
    slopes = np.transpose([(phi(X + h * e) - phi(X - h * e)) / (2 * h) for e in np.eye(2)])
    return Course(X, frames @ slopes, lambda u: frames @ (phi(np.asarray(u)) - phi(X)))


CURVED = course_of(features)
STRAIGHT = course_of(lambda u: 3.0 * u)


def test_a_straight_course_is_left_as_it_is():
    s = np.array([0.1, -0.2])
    end = STRAIGHT.follow(s, Domain(2))
    assert end == pytest.approx(X + s)
    assert STRAIGHT.miss(s, end) < 1e-9
    assert STRAIGHT.meaning(s, end) == pytest.approx(s)


def test_a_step_follows_the_valley():
    s = np.array([0.3, 0.0])
    assert CURVED.miss(s, X + s) > 10
    end = CURVED.follow(s, Domain(2))
    assert CURVED.miss(s, end) <= CLOSE
    assert end[1] - 0.5 == pytest.approx(3 * 0.3**2, abs=0.02)
    # what the straight one comes to is a step up the wall
    assert CURVED.meaning(s, X + s)[1] == pytest.approx(-3 * 0.3**2, rel=0.05)


def test_the_end_is_allowed():
    lid = 0.6
    domain = Domain(2, lambda points: lid - points[:, 1])
    for s in (np.array([0.3, 0.0]), np.array([0.9, 0.9])):
        end = CURVED.follow(s, domain)
        assert domain.permits(end)
    free = CURVED.follow(np.array([0.3, 0.0]), Domain(2))
    assert free[1] > lid


def test_directions_that_no_energy_feels_stay():
    flat = course_of(lambda u: np.array([u[0] ** 2, 0.0]))
    end = flat.follow(np.array([0.2, 0.1]), Domain(2))
    assert end[1] == pytest.approx(0.6)


def test_a_shorter_step_is_taken_where_it_comes_lower():
    """Beyond the lid the valley cannot be followed: the whole step would end on its wall."""
    domain = Domain(2, lambda points: 0.53 - points[:, 1])
    F = CURVED.metric
    goal = np.array([0.4, 0.0])
    model = Quadratic(float(goal @ F @ goal), -F @ goal, F)
    end, meaning = _end(model, F, X, 10.0, domain, CURVED)
    straight, same = _end(model, F, X, 10.0, domain, None)
    assert same == pytest.approx(straight - X)
    assert domain.permits(end)
    assert model(meaning) < model(np.zeros(2))
    assert model(meaning) < model(CURVED.meaning(same, straight))


def test_samples_count_together():
    both = joined([CURVED, STRAIGHT])
    assert both.metric == pytest.approx(CURVED.metric + STRAIGHT.metric)
    u = np.array([0.7, 0.4])
    lengths = [np.linalg.norm(one.change(u)) for one in (CURVED, STRAIGHT)]
    assert np.linalg.norm(both.change(u)) == pytest.approx(np.hypot(*lengths))
    assert joined([CURVED]) is CURVED


def test_runs_are_pooled_by_how_far_their_energies_are_apart():
    def linearise(runs, x):
        return SimpleNamespace(
            response=SimpleNamespace(metric=CURVED.metric), course=CURVED, pooled=len(runs)
        )

    trail = Trail(linearise, GaussNewtonSettings(reach=1.0))
    in_valley, on_wall = CURVED.follow(np.array([0.3, 0.0]), Domain(2)), X + np.array([0.3, 0.0])
    here, *others = (Seen(k, x, Outcome(0.1)) for k, x in enumerate([X, in_valley, on_wall]))
    for one in (here, *others):
        trail.add(one)
    assert [trail.apart(here, one.x) <= 1.0 for one in others] == [True, False]
    assert trail.pooled(here).pooled == 2
