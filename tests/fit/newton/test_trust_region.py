"""Steps within a ball, a cube and a guard: against conditions of optimality and brute force."""

import numpy as np
import pytest

from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.trust_region import Quadratic, in_ball, step


def check_optimal(H, g, radius):
    """Check (H + mu) z = -g with mu >= 0, and mu = 0 inside the ball; return z."""
    z = in_ball(H, g, radius)
    length = np.linalg.norm(z)
    scale = max(float(np.abs(g).max()), float(np.abs(H).max()), 1e-300)
    assert length <= radius * (1 + 1e-9)
    pull = -(g + H @ z)
    mu = float(pull @ z) / length**2 if length else 0.0
    np.testing.assert_allclose(pull, mu * z, atol=1e-8 * scale)
    assert mu >= -1e-8 * scale
    if length < radius * (1 - 1e-9):
        assert abs(mu) <= 1e-8 * scale / radius
    return z


def positive(rng, d, rank=None):
    """A random symmetric matrix with eigenvalues over four decades, some of them zero."""
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    values = 10.0 ** rng.uniform(-2, 2, d)
    values[d if rank is None else rank :] = 0.0
    return Q @ np.diag(values) @ Q.T


@pytest.mark.parametrize("d", [1, 2, 6])
@pytest.mark.parametrize("radius", [1e-3, 1.0, 1e3])
def test_the_minimum_in_a_ball_meets_its_conditions(d, radius):
    rng = np.random.default_rng([d, int(1e3 * radius)])
    for _ in range(20):
        check_optimal(positive(rng, d), rng.standard_normal(d), radius)


def test_inside_the_ball_it_is_the_newton_step():
    rng = np.random.default_rng(0)
    H, g = positive(rng, 4), rng.standard_normal(4)
    newton = -np.linalg.solve(H, g)
    length = np.linalg.norm(newton)
    np.testing.assert_allclose(check_optimal(H, g, 1.01 * length), newton, rtol=1e-8)
    on_edge = check_optimal(H, g, 0.99 * length)
    assert np.linalg.norm(on_edge) == pytest.approx(0.99 * length)


def test_no_point_of_the_disc_is_lower():
    rng = np.random.default_rng(1)
    t, r = np.meshgrid(np.linspace(0, 2 * np.pi, 361), np.linspace(0, 1, 51))
    points = np.stack([(r * np.cos(t)).ravel(), (r * np.sin(t)).ravel()], axis=1)
    for _ in range(20):
        H, g = positive(rng, 2), 3.0 * rng.standard_normal(2)
        z = in_ball(H, g, 1.0)
        values = 2 * points @ g + np.einsum("ni,ij,nj->n", points, H, points)
        assert 2 * g @ z + z @ H @ z <= values.min() + 1e-9


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_flat_directions_are_followed_to_the_edge(rank):
    rng = np.random.default_rng(rank)
    H, g = positive(rng, 4, rank), rng.standard_normal(4)
    assert np.linalg.norm(check_optimal(H, g, 2.0)) == pytest.approx(2.0)


def test_flat_directions_without_a_slope_are_left_alone():
    H, g = np.diag([2.0, 0.0]), np.array([-1.0, 0.0])
    np.testing.assert_allclose(check_optimal(H, g, 5.0), [0.5, 0.0])


def test_without_a_gradient_there_is_no_step():
    assert not in_ball(np.diag([1.0, 0.0]), np.zeros(2), 1.0).any()


# Steps


def towards(goal, x, H=None, constant=0.1):
    """A quadratic with its minimum at `goal`, seen from `x`."""
    H = np.eye(len(x)) if H is None else H
    return Quadratic(constant, -H @ (goal - x), H)


def straight(model, metric, x, radius, domain):
    """The best step without cube and guard, cut off where it leaves them."""
    d = len(x)
    F = metric + 1e-6 * np.trace(metric) / d * np.eye(d)
    way = np.linalg.inv(np.linalg.cholesky(F).T)
    s = way @ in_ball(way.T @ model.H @ way, way.T @ model.g, radius)
    return domain.pull_back(x, x + s) - x


def check_step(model, metric, x, radius, domain):
    """Check what any step must be; return it."""
    s = step(model, metric, x, radius, domain)
    assert s @ metric @ s <= radius**2 * (1 + 1e-9)
    assert (x + s).min() >= 0
    assert (x + s).max() <= 1
    assert domain.permits(x + s)
    assert model(s) <= model.constant
    # it keeps a little off the guard, the straight one does not
    fall = model.constant - model(straight(model, metric, x, radius, domain))
    assert model.constant - model(s) >= 0.95 * fall - 1e-9 * model.constant
    return s


def disc(X):
    """A smooth margin, curved."""
    return 0.16 - np.sum((X - 0.5) ** 2, axis=1)


def bowl(X):
    """A forbidden disc in the middle: the allowed part is not convex."""
    return np.sum((X - 0.5) ** 2, axis=1) - 0.03


def corner(X):
    """Two conditions, of different slopes."""
    return np.stack([0.7 - X[:, 0], 3 * (0.6 - X[:, 1])], axis=1)


def kinked(X):
    """The lesser of the two, as one condition with a kink."""
    return corner(X).min(axis=1)


def roof(X):
    """A kink that is met at an angle, and a plateau as the guard has it."""
    return np.minimum(0.2, 0.75 - X[:, 0] - 0.5 * np.abs(X[:, 1] - 0.4))


GUARDS = [None, disc, bowl, corner, kinked, roof]


@pytest.mark.parametrize("constraint", GUARDS)
@pytest.mark.parametrize("d", [2, 5])
def test_any_step_is_allowed_and_does_not_fall_behind_the_straight_one(constraint, d):
    rng = np.random.default_rng([GUARDS.index(constraint), d])
    domain = Domain(d, constraint)
    for _ in range(25):
        points = rng.uniform(0, 1, (400, d))
        points[:200] = 0.5 + 0.3 * (points[:200] - 0.5)
        x = rng.permutation(points[domain.allowed(points)])[0]
        if rng.random() < 0.5:
            x = domain.pull_back(x, rng.uniform(-0.3, 1.3, d))
        goal = rng.uniform(-0.5, 1.5, d)
        model = towards(goal, x, positive(rng, d, rng.integers(1, d + 1)), rng.uniform(0.01, 1))
        check_step(model, positive(rng, d), x, 10.0 ** rng.uniform(-1, 2), domain)


def test_a_free_step_is_the_straight_one():
    rng = np.random.default_rng(3)
    x, metric = np.full(3, 0.5), positive(rng, 3)
    model = towards(np.array([0.52, 0.45, 0.5]), x, positive(rng, 3))
    for radius in (1e-2, 1e-1, 10.0):
        s = check_step(model, metric, x, radius, Domain(3))
        np.testing.assert_allclose(s, straight(model, metric, x, radius, Domain(3)), atol=1e-12)


def test_the_radius_is_a_length_in_the_metric():
    x, goal = np.full(2, 0.5), np.array([0.9, 0.9])
    metric = np.diag([100.0, 1.0])
    s = check_step(towards(goal, x), metric, x, 0.3, Domain(2))
    assert s @ metric @ s == pytest.approx(0.09, rel=1e-4)
    assert s[0] < 0.1 * s[1]


def test_a_clipped_step_stays_in_the_ball():
    # along (1, 1) steps are cheap; what is left of one that a face cuts off is not
    metric = 100.0 * np.array([[1.0, -0.99], [-0.99, 1.0]])
    x = np.array([0.95, 0.3])
    s = check_step(towards(np.array([1.55, 0.9]), x), metric, x, 1.0, Domain(2))
    assert x[0] + s[0] == pytest.approx(1.0, abs=1e-6)


def test_a_face_of_the_cube_is_followed():
    x, H = np.array([0.2, 0.3]), np.array([[2.0, 1.0], [1.0, 2.0]])
    model = towards(np.array([-0.4, 0.5]), x, H)
    s = check_step(model, np.eye(2), x, 5.0, Domain(2))
    # on x0 = 0 the minimum is where the slope in x1 is zero: not at 0.5, as the two are coupled
    np.testing.assert_allclose(x + s, [0.0, 0.3], atol=1e-6)


def lowest_on(model, x, domain, n=400):
    """The lowest value on a grid over the allowed part of the square."""
    axis = np.linspace(0, 1, n + 1)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    points = points[domain.allowed(points)]
    steps = points - x
    values = model.constant + 2 * steps @ model.g + np.sum(steps @ model.H * steps, axis=1)
    return float(values.min())


@pytest.mark.parametrize("angle", [0.3, 0.9, 1.4])
def test_a_curved_guard_is_followed(angle):
    domain = Domain(2, disc)
    x = 0.5 + 0.395 * np.array([1.0, 0.0])
    goal = 0.5 + 0.6 * np.array([np.cos(angle), np.sin(angle)])
    model = towards(goal, x)
    s = check_step(model, np.eye(2), x, 5.0, domain)
    # the nearest allowed point to the goal lies in its direction
    np.testing.assert_allclose(x + s, 0.5 + (goal - 0.5) * 0.4 / 0.6, atol=5e-3)
    cut = straight(model, np.eye(2), x, 5.0, domain)
    assert model.constant - model(s) > 1.1 * (model.constant - model(cut))


@pytest.mark.parametrize("goal", [(0.9, 0.9, 0.3), (0.72, 1.4, 0.9), (1.4, 0.62, 0.1)])
def test_a_step_goes_into_the_corner_of_two_conditions(goal):
    x = np.array([0.5, 0.2, 0.4])
    s = check_step(towards(np.array(goal), x), np.eye(3), x, 5.0, Domain(3, corner))
    np.testing.assert_allclose(x + s, [0.7, 0.6, goal[2]], atol=2e-3)


def test_it_goes_on_along_one_condition_from_the_edge_of_another():
    x = np.array([0.7, 0.2])
    s = check_step(towards(np.array([1.2, 0.5]), x), np.eye(2), x, 5.0, Domain(2, corner))
    np.testing.assert_allclose(x + s, [0.7, 0.5], atol=2e-3)


@pytest.mark.parametrize("constraint", [kinked, roof])
@pytest.mark.parametrize("goal", [(0.9, 0.9), (0.9, 0.5), (0.6, 0.95), (1.3, 0.1)])
def test_a_margin_with_a_kink_lets_most_of_the_way(constraint, goal):
    domain = Domain(2, constraint)
    x = np.array([0.45, 0.2])
    model = towards(np.array(goal), x)
    s = check_step(model, np.eye(2), x, 5.0, domain)
    possible = model.constant - lowest_on(model, x, domain)
    assert model.constant - model(s) > 0.9 * possible


@pytest.mark.parametrize("constraint", [disc, kinked, roof])
def test_from_the_edge_it_goes_along_the_edge(constraint):
    domain = Domain(2, constraint)
    x = domain.pull_back(np.array([0.5, 0.45]), np.array([1.0, 0.4]))
    assert not domain.permits(x + np.array([1e-6, 0.0]))
    # down and outwards: the straight step is forbidden from its first inch
    model = towards(x + np.array([0.2, -0.15]), x)
    assert model(straight(model, np.eye(2), x, 5.0, domain)) > model.constant - 1e-6
    s = check_step(model, np.eye(2), x, 5.0, domain)
    possible = model.constant - lowest_on(model, x, domain)
    assert model.constant - model(s) > 0.9 * possible


@pytest.mark.parametrize("constraint", GUARDS)
def test_where_nothing_descends_there_is_no_step(constraint):
    x = np.array([0.3, 0.45])
    flat = Quadratic(0.1, np.zeros(2), np.eye(2))
    assert not check_step(flat, np.eye(2), x, 1.0, Domain(2, constraint)).any()


@pytest.mark.parametrize("constraint", [corner, kinked])
def test_pressed_into_a_corner_it_stays(constraint):
    x = np.array([0.7, 0.6])
    model = towards(np.array([0.9, 0.9]), x)
    s = check_step(model, np.eye(2), x, 1.0, Domain(2, constraint))
    np.testing.assert_allclose(s, 0.0, atol=1e-6)


def test_a_cost_of_zero_is_no_trouble():
    model = towards(np.array([0.9, 0.5]), np.full(2, 0.5), constant=0.0)
    s = check_step(model, np.eye(2), np.full(2, 0.5), 5.0, Domain(2, roof))
    assert model(s) < -0.02


def test_forbidden_points_without_a_margin_are_avoided():
    holes = lambda X: np.where(X[:, 0] > 0.7, np.nan, 0.5)  # noqa: E731
    x = np.array([0.4, 0.4])
    s = check_step(towards(np.array([0.9, 0.6]), x), np.eye(2), x, 5.0, Domain(2, holes))
    assert s[0] > 0.2
