"""Which of many points stand for all, and that a search with few of them still arrives."""

import numpy as np
import pytest

from lammpsfit.fit import Ask, Outcome
from lammpsfit.fit.paper import ExploreSettings, PaperSettings, PaperStrategy, subset
from lammpsfit.fit.paper.subset import choose, chosen_from

ONE = np.ones(3)


@pytest.fixture
def told():
    rng = np.random.default_rng(0)
    X = rng.random((400, 3))
    value = np.where(rng.random(400) < 0.2, np.nan, np.sum((X - 0.4) ** 2, axis=1))
    return X, value


def test_few_points_are_all_kept(told):
    X, value = told
    np.testing.assert_array_equal(choose(X, value, ONE, most=400), np.arange(400))


def test_as_many_as_asked_for_are_chosen_each_once(told):
    rows = choose(*told, ONE, most=100)
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()


def test_the_lowest_and_some_failed_points_are_kept(told):
    X, value = told
    rows = choose(X, value, ONE, most=100)
    assert set(np.argsort(value)[:37]) <= set(rows)
    assert np.count_nonzero(np.isnan(value[rows])) == 25


@pytest.mark.parametrize("failed", [0, 5, 395, 400])
def test_few_of_a_kind_leave_their_room_to_the_other(told, failed):
    X, _ = told
    value = np.where(np.arange(400) < failed, np.nan, X[:, 0])
    assert len(choose(X, value, ONE, most=100)) == 100


def test_the_spread_leaves_no_hole(told):
    X, value = told
    ok = X[~np.isnan(value)]
    rows = choose(X, value, ONE, most=100)
    gap = lambda kept: np.linalg.norm(X[:, None] - kept, axis=-1).min(axis=1).max()  # noqa: E731
    lowest = ok[np.argsort(np.sum((ok - 0.4) ** 2, axis=1))[:100]]
    assert gap(X[rows]) < 0.6 * gap(lowest)


def test_the_choice_is_made_now_and_then(monkeypatch):
    monkeypatch.setattr(subset, "MOST", 50)
    assert chosen_from(149) == 50
    assert chosen_from(151) == 150


@pytest.fixture
def crowded(monkeypatch):
    """Let 30 points be too many, and 4 pending ones many."""
    monkeypatch.setattr(subset, "MOST", 30)
    monkeypatch.setattr(subset, "STRIDE", 7)
    monkeypatch.setattr("lammpsfit.fit.paper.surrogate.choose", lambda *a: choose(*a, most=30))
    monkeypatch.setattr("lammpsfit.fit.paper.explore.SHARE", 4)


def make():
    return PaperStrategy(2, PaperSettings(ExploreSettings(16, 200, 60), None), seed=0)


def with_failures(cost, ask, outcome):
    return Outcome(None) if ask.x[0] > 0.9 else outcome(cost, ask, 0.02)


def search(strategy, cost, outcome, workers):
    history = []
    while not strategy.done:
        for ask in strategy.ask(workers):
            history.append((ask, with_failures(cost, ask, outcome)))
            strategy.tell(*history[-1])
    return history


@pytest.mark.usefixtures("crowded")
def test_few_points_find_the_deep_minimum(two_minima, outcome):
    strategy = make()
    search(strategy, two_minima, outcome, workers=10)
    best, *_ = ranking = strategy.ranking(3)
    np.testing.assert_allclose(best.ask.x, [0.30, 0.30], atol=0.05)
    for candidate in ranking:
        assert candidate.outcome == with_failures(two_minima, candidate.ask, outcome)


@pytest.mark.usefixtures("crowded")
def test_told_a_prefix_it_asks_what_the_original_asked(two_minima, outcome):
    history = search(make(), two_minima, outcome, workers=1)
    for n in (29, 31, 36, 37, 45, 60):
        fresh = make()
        for told in history[:n]:
            fresh.tell(*told)
        (ask,) = fresh.ask(1)
        np.testing.assert_array_equal(ask.x, history[n][0].x)


@pytest.mark.usefixtures("crowded")
def test_what_is_asked_depends_on_what_is_pending_not_on_who_asked(two_minima, outcome):
    history = search(make(), two_minima, outcome, workers=1)[:40]
    together, singly, resumed = make(), make(), make()
    for strategy in (together, singly, resumed):
        for told in history:
            strategy.tell(*told)
    batch = together.ask(11)
    one_by_one = [singly.ask(1)[0] for _ in batch]
    for ask in batch[:6]:
        resumed.expect(Ask(ask.id, ask.x, ask.stage))
    again = resumed.ask(5)
    np.testing.assert_array_equal([a.x for a in one_by_one], [a.x for a in batch])
    np.testing.assert_array_equal([a.x for a in again], [a.x for a in batch[6:]])
    gaps = np.linalg.norm(np.array([a.x for a in batch])[:, None] - [a.x for a in batch], axis=-1)
    assert (gaps + np.eye(11)).min() > 1e-3
