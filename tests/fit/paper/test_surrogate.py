import numpy as np
import pytest

from lammpsfit.errors import RunError
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.maximise import maximise_acquisition
from lammpsfit.fit.paper.surrogate import COST_FLOOR, Data, Modeller, log_cost


def bowl(X):
    return 0.1 + np.sum((X - 0.4) ** 2, axis=1)


def points(n, d=2, seed=0):
    return np.random.default_rng(seed).random((n, d))


@pytest.fixture
def bowl_data():
    X = points(60)
    return Data(X, bowl(X), 0.02 * bowl(X))


@pytest.fixture
def half_failed():
    """No cost beyond x0 = 0.6, towards which the cost falls."""
    X = points(80)
    cost = np.where(X[:, 0] > 0.6, np.nan, 1.0 - X[:, 0])
    return Data(X, cost, np.full(80, 0.01))


def test_relative_noise_is_even_in_the_logarithm():
    cost = np.array([0.06, 0.6, 6.0])
    y, variance = log_cost(cost, 0.02 * cost)
    np.testing.assert_allclose(variance, 0.0004)
    np.testing.assert_allclose(np.exp(y), cost)


def test_a_cost_of_zero_has_a_logarithm():
    y, variance = log_cost(np.zeros(2), np.array([0.0, 0.01]))
    np.testing.assert_allclose(np.exp(y), [COST_FLOOR, 0.01])
    np.testing.assert_allclose(variance, [0.0, 1.0])


def test_the_best_is_not_the_luckiest(bowl_data):
    lucky = int(np.argmax(bowl_data.cost))
    cost, error = bowl_data.cost.copy(), bowl_data.error.copy()
    cost[lucky], error[lucky] = 0.5 * cost.min(), 0.5
    gp = Modeller(0).surrogate(Data(bowl_data.X, cost, error)).cost
    best = gp.X[np.argmin(gp.means_at_data)]
    assert np.linalg.norm(best - 0.4) < 0.15


def test_acquisition_gradient_with_failures(half_failed):
    surrogate = Modeller(0).surrogate(half_failed)
    x, h = np.array([0.55, 0.3]), 1e-6
    value, gradient = surrogate.acquisition_with_gradient(x)
    assert value == pytest.approx(surrogate.acquisition(x[None])[0])
    numeric = [
        np.diff(surrogate.acquisition(np.array([x - h * e, x + h * e])))[0] / (2 * h)
        for e in np.eye(2)
    ]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3)


def test_feasibility_knows_where_it_failed(half_failed):
    feasibility = Modeller(0).surrogate(half_failed).feasibility
    good, bad = np.exp(feasibility.log_probability(np.array([[0.2, 0.5], [0.9, 0.5]])))
    assert good > 0.9
    assert bad < 0.1


def test_without_failures_there_is_no_feasibility_model(bowl_data):
    assert Modeller(0).surrogate(bowl_data).feasibility is None


def test_a_lone_failure_does_not_forbid_its_neighbourhood(bowl_data):
    cost = bowl_data.cost.copy()
    cost[7] = np.nan
    feasibility = Modeller(0).surrogate(Data(bowl_data.X, cost, bowl_data.error)).feasibility
    assert np.exp(feasibility.log_probability(bowl_data.X[7:8] + 0.1))[0] > 0.5


def test_the_maximiser_keeps_out_of_the_failed_region(half_failed):
    surrogate = Modeller(0).surrogate(half_failed)
    blind = Modeller(0).surrogate(
        Data(*(a[half_failed.ok] for a in (half_failed.X, half_failed.cost, half_failed.error)))
    )
    rngs = [np.random.default_rng(i) for i in range(5)]
    assert all(maximise_acquisition(surrogate, Domain(2), rng)[0] < 0.7 for rng in rngs)
    assert any(maximise_acquisition(blind, Domain(2), rng)[0] > 0.8 for rng in rngs)


def test_the_maximum_is_as_good_as_a_fine_grid(bowl_data):
    surrogate = Modeller(0).surrogate(bowl_data)
    x = maximise_acquisition(surrogate, Domain(2), np.random.default_rng(0))
    grid = np.stack(np.meshgrid(*2 * [np.linspace(0, 1, 101)]), axis=-1).reshape(-1, 2)
    assert surrogate.acquisition(x[None])[0] >= surrogate.acquisition(grid).max() - 1e-6


def test_the_maximum_obeys_the_constraint(bowl_data):
    domain = Domain(2, lambda X: np.abs(X[:, 0] - 0.4) - 0.2)
    surrogate = Modeller(0).surrogate(bowl_data)
    for i in range(5):
        assert domain.permits(maximise_acquisition(surrogate, domain, np.random.default_rng(i)))


def test_an_impossible_constraint_stops_the_search(bowl_data):
    domain = Domain(2, lambda X: np.full(len(X), -1.0))
    with pytest.raises(RunError, match="must allow some of the cube"):
        maximise_acquisition(Modeller(0).surrogate(bowl_data), domain, np.random.default_rng(0))


def test_belief_takes_the_acquisition_from_pending_points(bowl_data):
    surrogate = Modeller(0).surrogate(bowl_data)
    x = maximise_acquisition(surrogate, Domain(2), np.random.default_rng(0))
    believed = surrogate.believe(x[None])
    assert believed.acquisition(x[None])[0] < surrogate.acquisition(x[None])[0] - 10
    at = points(5, seed=9)
    np.testing.assert_allclose(
        believed.believed.predict_mean(at), surrogate.cost.predict_mean(at), atol=1e-6
    )


def test_nothing_but_failures_is_a_run_error():
    data = Data(points(3), np.full(3, np.nan), np.zeros(3))
    with pytest.raises(RunError, match="all 3 failed"):
        Modeller(0).surrogate(data)


def test_memory_saves_time_only():
    X = points(40)
    whole = Data(X, bowl(X), 0.02 * bowl(X))
    old = Modeller(0)
    for n in (5, 12, 25):
        old.surrogate(Data(X[:n], whole.cost[:n], whole.error[:n]))
    at = points(9, seed=3)
    np.testing.assert_array_equal(
        old.surrogate(whole).acquisition(at), Modeller(0).surrogate(whole).acquisition(at)
    )
