"""What the search makes of evaluations that were given up."""

import numpy as np
import pytest

from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit import Ask, Outcome
from lammpsfit.fit.paper import DescentSettings, ExploreSettings, PaperSettings, PaperStrategy
from lammpsfit.fit.paper.explore import since_improvement
from lammpsfit.fit.paper.line_search import not_worse
from lammpsfit.fit.paper.surrogate import Data, Modeller
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.run_folder import create_run, open_run

RACED = PaperSettings(
    ExploreSettings(n_design=20, plateau=20, max_explore=16, race=1.5),
    DescentSettings(max_iterations=2),
)


def given_up(bound, error=0.01):
    return Outcome(None, error, bound)


@pytest.fixture
def raced(outcome):
    """Make the outcome of an ask as racing would: a bound, where the cost is above the level."""

    def make(cost, ask, noise=0.02):
        told = outcome(cost, ask, noise)
        if ask.level is None or told.cost <= 1.1 * ask.level:
            return told
        return given_up(0.95 * told.cost, told.error)

    return make


@pytest.fixture
def search_raced(raced):
    def search(strategy, cost, workers=1):
        history = []
        while not strategy.done:
            for ask in strategy.ask(workers):
                history.append((ask, raced(cost, ask)))
                strategy.tell(*history[-1])
        return history

    return search


@pytest.fixture
def data():
    """A bowl with a wall at x0 = 0.7; what lies behind was given up at nine tenths of its cost."""
    X = np.random.default_rng(3).random((40, 2))
    cost = 0.1 + 0.1 * np.sum((X - 0.4) ** 2, axis=1) + 0.4 * (X[:, 0] > 0.7)
    over = cost > 0.3
    return Data(
        X, np.where(over, np.nan, cost), 0.02 * cost, bound=np.where(over, 0.9 * cost, np.nan)
    )


def without(data, kept):
    return Data(*(values[kept] for values in (data.X, data.cost, data.error, data.bound)))


def test_levels_follow_the_lowest_cost_told(two_minima, search_raced):
    history = search_raced(PaperStrategy(2, RACED, seed=0), two_minima)
    lowest = np.inf
    for ask, told in history:
        raced = ask.stage != "refine" and np.isfinite(lowest)
        assert ask.level == (pytest.approx(1.5 * lowest) if raced else None)
        lowest = min(lowest, np.inf if told.cost is None else told.cost)
    assert {ask.stage for ask, _ in history} == {"design", "explore", "refine"}


def test_no_level_where_racing_is_off(two_minima, search):
    off = PaperSettings(ExploreSettings(n_design=8, plateau=2, max_explore=4))
    assert all(ask.level is None for ask, _ in search(PaperStrategy(2, off, seed=0), two_minima))


@pytest.mark.parametrize("workers", [1, 4])
def test_the_deep_minimum_is_found_and_nothing_given_up_is_ranked(
    two_minima, search_raced, workers
):
    strategy = PaperStrategy(2, RACED, seed=0)
    history = search_raced(strategy, two_minima, workers)
    assert sum(told.bound is not None for _, told in history) > 10
    ranking = strategy.ranking(len(history), separation=-1.0)
    assert len(ranking) == sum(told.ok for _, told in history)
    assert all(candidate.outcome.cost is not None for candidate in ranking)
    np.testing.assert_allclose(strategy.best().ask.x, [0.30, 0.30], atol=0.03)


def test_the_history_told_again_asks_the_same(two_minima, search_raced):
    history = search_raced(PaperStrategy(2, RACED, seed=0), two_minima)
    for n in (10, 26, 38):
        assert any(told.bound is not None for _, told in history[:n])
        again = PaperStrategy(2, RACED, seed=0)
        for ask, told in history[:n]:
            again.tell(Ask(ask.id, ask.x, ask.stage), told)
        (found,) = again.ask(1)
        expected = history[n][0]
        assert (found.id, found.stage) == (expected.id, expected.stage)
        assert found.level == expected.level
        assert np.array_equal(found.x, expected.x)


def test_the_posterior_keeps_above_the_bounds(data):
    gp = Modeller(0).surrogate(data).cost
    blind = Modeller(0).surrogate(without(data, data.ok)).cost
    X, bound = data.X[data.censored], data.bound[data.censored]
    assert data.censored.sum() > 10
    assert (np.exp(gp.predict_mean(X)) > 0.98 * bound).all()
    assert (np.exp(blind.predict_mean(X)) < 0.5 * bound).all()


def test_a_bound_below_what_is_expected_leaves_the_mean_and_takes_doubt():
    # hyper-parameters of 35 as of 36 points are fitted to the first 33
    X = np.random.default_rng(3).random((36, 2))
    cost = 0.1 + np.sum((X - 0.4) ** 2, axis=1)
    ok = np.arange(36) < 35
    bound = np.where(ok, np.nan, 0.5 * cost)
    told = Data(X, np.where(ok, cost, np.nan), 0.1 * cost, bound)
    blind = Modeller(0).surrogate(without(told, ok)).cost
    full = Modeller(0).surrogate(told).cost
    at = np.random.default_rng(0).random((9, 2))
    np.testing.assert_allclose(full.predict_mean(at), blind.predict_mean(at), atol=1e-6)
    assert (full.predict(X)[1] <= blind.predict(X)[1] + 1e-9).all()
    assert full.predict(X[35:])[1] < 0.95 * blind.predict(X[35:])[1]


def test_the_best_is_never_a_bound(data):
    cost, bound = data.cost.copy(), data.bound.copy()
    lowest = int(np.nanargmin(cost))
    cost[lowest], bound[lowest] = np.nan, 0.01  # it says next to nothing
    surrogate = Modeller(0).surrogate(Data(data.X, cost, data.error, bound))
    n = np.isfinite(cost).sum()
    assert surrogate.best == surrogate.cost.means_at_data[:n].min()
    np.testing.assert_array_equal(surrogate.cost.X[:n], data.X[np.isfinite(cost)])


def test_what_was_given_up_is_not_asked_for_again(data):
    surrogate = Modeller(0).surrogate(data)
    blind = Modeller(0).surrogate(without(data, data.ok))
    X = data.X[data.censored]
    assert (surrogate.acquisition(X) < blind.acquisition(X)).all()
    assert surrogate.acquisition(X).max() < surrogate.acquisition(np.full((1, 2), 0.4))[0] - 5


def test_what_was_given_up_did_not_fail(data):
    assert Modeller(0).surrogate(data).feasibility is None
    assert not data.failed.any()


def test_without_bounds_nothing_changes(data):
    whole = without(data, data.ok)
    plain = Data(whole.X, whole.cost, whole.error)
    at = np.random.default_rng(0).random((9, 2))
    np.testing.assert_array_equal(
        Modeller(0).surrogate(whole).acquisition(at), Modeller(0).surrogate(plain).acquisition(at)
    )


def test_a_bound_is_never_an_improvement():
    old = Outcome(0.1, 0.01)
    assert not not_worse(given_up(0.01), old)
    asks = [Ask(i, np.zeros(2), "explore") for i in range(3)]
    told = [(asks[0], old), (asks[1], given_up(0.01)), (asks[2], given_up(0.2))]
    assert since_improvement(told) == 2


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(0.1, bound=0.2), "instead of a cost, got bound 0.2 and cost 0.1"),
        (Outcome(None, bound=0.0), "above 0"),
        (Outcome(None, bound=np.inf), "must be finite"),
        (Outcome(None, error=-1.0, bound=0.1), "error of evaluation 0"),
    ],
)
def test_bounds_that_are_none_are_refused(outcome, message):
    strategy = PaperStrategy(2, RACED, seed=0)
    (ask,) = strategy.ask(1)
    with pytest.raises(InputError, match=message):
        strategy.tell(ask, outcome)


@pytest.mark.parametrize("race", [0.5, -1.0, np.inf, np.nan])
def test_races_that_are_none_are_refused(race):
    with pytest.raises(InputError, match=r"race must be 0 \(off\) or at least 1"):
        ExploreSettings(race=race)


# With LAMMPS


class Limited(Silent):
    """A monitor that shows nothing, and a stop after some evaluations."""

    def __init__(self, limit=10**6):
        self.left = limit

    def finished(self, record):
        self.left -= 1

    def stop(self):
        return None if self.left > 0 else "enough"


def fit_of(path, monitor):
    return run_fit(open_fit(*open_run(path)), LocalFarm(1), monitor, monitor.stop).summary


def evaluations_of(path):
    clock = ("seconds", "wall", "worker")
    found = read_journal(path / "journal.jsonl").of_type("evaluation")
    return [{key: value for key, value in r.items() if key not in clock} for r in found]


@pytest.mark.lammps
def test_a_raced_fit_counts_what_it_gave_up_and_resumes_to_the_bit(job_text, structure, tmp_path):
    changes = {
        "blocks = 4": "blocks = 10",
        "{ factor = 1.2 }": "{ factor = 1.4 }",
        "design = 4": "design = 6\nrace = 1.2",
        "refine = 1": "refine = 0",
        "repeats = 2": "repeats = 1",
    }
    for old, new in changes.items():
        assert old in job_text
        job_text = job_text.replace(old, new)
    (tmp_path / "job.toml").write_text(job_text)
    job = read_job(tmp_path / "job.toml")
    for name in ("whole", "cut"):
        create_run(tmp_path / name, job)
    numbers = fit_of(tmp_path / "whole", Limited())["evaluations"]
    whole = evaluations_of(tmp_path / "whole")
    given_up = [record for record in whole if record["status"] == "censored"]
    assert 2 <= len(given_up) == numbers["censored"]
    assert sum(numbers[key] for key in ("ok", "censored", "failed")) == len(whole)
    full = max(record.get("atom_steps", 0) for record in whole)
    for record in given_up:
        assert record["given_up"]["bound"] > record["given_up"]["level"]
        assert record["atom_steps"] < full
    fit_of(tmp_path / "cut", Limited(4))
    assert len(evaluations_of(tmp_path / "cut")) == 4
    fit_of(tmp_path / "cut", Limited())
    assert evaluations_of(tmp_path / "cut") == whole
