"""The whole strategy: what it finds, what it never does, and that it can be resumed."""

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.fit import Ask, Outcome
from lammpsfit.fit.paper import DescentSettings, ExploreSettings, PaperSettings, PaperStrategy, Stop
from lammpsfit.fit.paper.explore import since_improvement

LOCAL_START = np.array([0.85, 0.55])


def settings(n_design=12, plateau=8, max_explore=20, descent=True, iterations=3):
    explore = ExploreSettings(n_design, plateau, max_explore)
    return PaperSettings(explore, DescentSettings(max_iterations=iterations) if descent else None)


ALONE = PaperSettings(ExploreSettings(n_design=0, max_explore=0))
"""Conjugate gradients from the start, nothing explored."""


def disc(X):
    """Allow a disc that leaves out the corners and cuts the two minima's valley."""
    return 0.45 - np.linalg.norm(X - 0.5, axis=1)


def points(history):
    return np.array([ask.x for ask, _ in history])


def stages(history):
    return [ask.stage for ask, _ in history]


# What it finds


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_exploration_finds_the_deep_minimum_of_two(two_minima, search, noise):
    alone = PaperStrategy(2, ALONE, seed=0, start=LOCAL_START)
    search(alone, two_minima, noise)
    np.testing.assert_allclose(alone.best().ask.x, [0.72, 0.70], atol=0.03)

    explore = ExploreSettings(n_design=16, plateau=30, max_explore=60)
    full = PaperStrategy(2, PaperSettings(explore), seed=0, start=LOCAL_START)
    search(full, two_minima, noise)
    np.testing.assert_allclose(full.best().ask.x, [0.30, 0.30], atol=0.02)


def test_the_far_end_of_a_curved_valley_in_ten_dimensions(curved_valley, search):
    start = np.full(10, 0.3)
    start[0] = 0.15
    alone = PaperStrategy(10, ALONE, seed=0, start=start)
    search(alone, curved_valley, noise=0.02)
    x = alone.best().ask.x
    assert x[0] < 0.4
    assert curved_valley(x) > 0.15

    explore = ExploreSettings(n_design=80, plateau=40, max_explore=80)
    full = PaperStrategy(10, PaperSettings(explore), seed=0, start=start)
    search(full, curved_valley, noise=0.02)
    x = full.best().ask.x
    assert x[0] > 0.7
    assert curved_valley(x) < 0.08


def test_refinement_improves_on_exploration(two_minima, search):
    coarse = settings(n_design=20, plateau=1, max_explore=0, descent=False)
    fine = settings(n_design=20, plateau=1, max_explore=0, iterations=10)
    costs = []
    for choice in (coarse, fine):
        strategy = PaperStrategy(2, choice, seed=0)
        search(strategy, two_minima)
        costs.append(two_minima(strategy.best().ask.x))
    assert costs[1] < costs[0] - 0.02


def test_the_best_is_by_posterior_mean(two_minima, search):
    strategy = PaperStrategy(2, settings(), seed=0)
    history = search(strategy, two_minima, noise=0.1)
    best = strategy.best()
    assert best.outcome in [outcome for _, outcome in history]
    assert abs(best.cost - two_minima(best.ask.x)) < 4 * best.error + 0.01


def test_candidates_are_distinct_and_ranked(two_minima, search):
    strategy = PaperStrategy(2, settings(), seed=0)
    search(strategy, two_minima, noise=0.02)
    ranking = strategy.ranking(5, separation=0.02)
    assert len(ranking) == 5
    assert [c.cost for c in ranking] == sorted(c.cost for c in ranking)
    X = np.array([c.ask.x for c in ranking])
    gaps = np.abs(X[:, None] - X[None]).max(axis=-1) + np.eye(5)
    assert gaps.min() > 0.02


def test_the_descent_says_why_it_ended(two_minima, search):
    strategy = PaperStrategy(2, settings(iterations=1), seed=0)
    assert strategy.descent is None
    search(strategy, two_minima)
    assert strategy.descent.reason is Stop.ITERATIONS


# What it never does


@pytest.mark.parametrize("workers", [1, 5])
def test_no_ask_breaks_the_constraint(two_minima, search, workers):
    strategy = PaperStrategy(2, settings(iterations=10), seed=1, constraint=disc)
    history = search(strategy, two_minima, noise=0.02, workers=workers)
    assert set(stages(history)) == {"design", "explore", "refine"}
    assert (disc(points(history)) >= 0).all()
    assert points(history).min() >= 0
    assert points(history).max() <= 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_exploration_leaves_a_failed_region_alone(two_minima, outcome, seed):
    # All of x0 > 0.55 fails, which holds the wide minimum: 45 % of the cube.
    strategy = PaperStrategy(2, settings(20, 30, 30, descent=False), seed)
    failed = []
    while not strategy.done:
        (ask,) = strategy.ask(1)
        failed.append(ask.x[0] > 0.55)
        strategy.tell(ask, Outcome(None) if failed[-1] else outcome(two_minima, ask, 0.02))
    assert sum(failed[:20]) >= 7
    assert sum(failed[20:30]) <= 2
    np.testing.assert_allclose(strategy.best().ask.x, [0.30, 0.30], atol=0.05)


def test_a_batch_is_of_different_points(two_minima, outcome):
    strategy = PaperStrategy(2, settings(n_design=10), seed=0)
    for ask in strategy.ask(10):
        strategy.tell(ask, outcome(two_minima, ask, 0.02))
    batch = strategy.ask(8)
    X = np.array([ask.x for ask in batch])
    gaps = np.abs(X[:, None] - X[None]).max(axis=-1) + np.eye(8)
    assert {ask.stage for ask in batch} == {"explore"}
    assert gaps.min() > 1e-3


def test_numbers_are_unique_and_without_gaps(two_minima, search):
    history = search(PaperStrategy(2, settings(), seed=0, start=LOCAL_START), two_minima, workers=4)
    assert sorted(ask.id for ask, _ in history) == list(range(len(history)))
    assert stages(history)[0] == "start"
    np.testing.assert_array_equal(history[0][0].x, LOCAL_START)


def test_exploration_is_bounded(two_minima, search):
    history = search(
        PaperStrategy(2, settings(plateau=100, max_explore=7), seed=0), two_minima, 0, 5
    )
    assert stages(history).count("design") == 12
    assert stages(history).count("explore") == 7


def test_a_plateau_counts_from_the_last_fall_beyond_noise():
    costs = [(0.5, "design"), (0.3, "explore"), (0.295, "explore"), (None, "explore")]
    told = [(Ask(i, np.zeros(1), s), Outcome(c, 0.01)) for i, (c, s) in enumerate(costs)]
    assert since_improvement(told) == 2
    assert since_improvement(told[:2]) == 0
    exact = [(ask, Outcome(o.cost)) for ask, o in told]
    assert since_improvement(exact) == 1


# That it can be resumed


@pytest.fixture
def make():
    return lambda: PaperStrategy(2, settings(), seed=3, constraint=disc, start=np.full(2, 0.6))


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_told_a_prefix_it_asks_what_the_original_asked(two_minima, search, make, noise):
    history = search(make(), two_minima, noise)
    n_refine = stages(history).count("refine")
    assert n_refine > 5
    first = len(history) - n_refine
    inside = range(first - 2, len(history))
    for n in sorted({0, 1, 7, 13, 14, 20, *inside}):
        fresh = make()
        for told in history[:n]:
            fresh.tell(*told)
        (ask,) = fresh.ask(1)
        assert (ask.id, ask.stage) == (n, history[n][0].stage)
        np.testing.assert_array_equal(ask.x, history[n][0].x)


def test_told_everything_it_is_done(two_minima, search, make):
    original = make()
    history = search(original, two_minima, noise=0.02)
    fresh = make()
    for told in history:
        fresh.tell(*told)
    assert fresh.done
    assert fresh.ask(3) == []
    assert fresh.descent.reason is original.descent.reason
    np.testing.assert_array_equal(fresh.best().ask.x, original.best().ask.x)


def lose(make, history, cost, outcome, lost):
    """Tell a fresh strategy a history, ask for a batch, tell all but `lost` of it to another."""
    first = make()
    for told in history:
        first.tell(*told)
    batch = first.ask(4)
    second = make()
    for told in history:
        second.tell(*told)
    for ask in batch:
        if ask.id not in lost(batch):
            second.tell(ask, outcome(cost, ask, 0.02))
    return batch, second


@pytest.mark.parametrize("stage", ["design", "refine"])
def test_lost_asks_are_asked_again(two_minima, search, make, outcome, stage):
    history = search(make(), two_minima, noise=0.02)
    n = stages(history).index(stage) + 1
    some = lambda batch: {ask.id for ask in batch[::2]}  # noqa: E731
    batch, resumed = lose(make, history[:n], two_minima, outcome, some)
    expected = [ask for ask in batch if ask.id in some(batch)]
    again = resumed.ask(len(expected))
    assert len(expected) >= 1
    assert [(ask.id, ask.stage) for ask in again] == [(ask.id, stage) for ask in expected]
    np.testing.assert_array_equal([a.x for a in again], [a.x for a in expected])


def test_a_lost_batch_of_exploration_is_asked_again(two_minima, search, make, outcome):
    history = search(make(), two_minima, noise=0.02)
    n = stages(history).index("explore") + 1
    everything = lambda batch: {ask.id for ask in batch}  # noqa: E731
    batch, resumed = lose(make, history[:n], two_minima, outcome, everything)
    again = resumed.ask(4)
    assert [ask.id for ask in again] == [ask.id for ask in batch]
    np.testing.assert_array_equal([a.x for a in again], [a.x for a in batch])


def test_pending_asks_are_not_asked_twice(make):
    strategy = make()
    first, second = strategy.ask(3), strategy.ask(3)
    assert [ask.id for ask in first + second] == [0, 1, 2, 3, 4, 5]


def test_refinement_waits_for_exploration(two_minima, outcome):
    strategy = PaperStrategy(2, settings(n_design=4, max_explore=3, plateau=100), seed=0)
    asks = strategy.ask(4)
    for ask in asks:
        strategy.tell(ask, outcome(two_minima, ask, 0.0))
    late, *others = strategy.ask(5)
    assert len(others) == 2
    for ask in others:
        strategy.tell(ask, outcome(two_minima, ask, 0.0))
    assert strategy.ask(1) == []
    assert not strategy.done
    strategy.tell(late, outcome(two_minima, late, 0.0))
    assert strategy.ask(1)[0].stage == "refine"


# What it refuses


def test_inputs_are_checked():
    with pytest.raises(InputError, match="n_design must be at least 0, got -1"):
        ExploreSettings(n_design=-1)
    with pytest.raises(InputError, match="plateau must be at least 1"):
        ExploreSettings(plateau=0)
    with pytest.raises(InputError, match="must begin somewhere"):
        PaperStrategy(2, ALONE, seed=0)
    with pytest.raises(InputError, match="start must lie in the unit cube"):
        PaperStrategy(2, ALONE, seed=0, start=np.array([0.5, 1.5]))
    with pytest.raises(InputError, match="start must satisfy the constraint"):
        PaperStrategy(2, ALONE, seed=0, start=np.zeros(2), constraint=disc)
    with pytest.raises(InputError, match=r"shape \(2,\), got \(3,\)"):
        PaperStrategy(2, ALONE, seed=0, start=np.zeros(3))


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(np.nan), "cost of evaluation 0 must be finite"),
        (Outcome(-0.1), "cost of evaluation 0 must be finite and not negative"),
        (Outcome(0.1, np.nan), "error of evaluation 0 must be finite"),
    ],
)
def test_outcomes_are_checked(make, outcome, message):
    strategy = make()
    with pytest.raises(InputError, match=message):
        strategy.tell(strategy.ask(1)[0], outcome)


def test_an_outcome_is_told_once_and_of_this_space(make):
    strategy = make()
    (ask,) = strategy.ask(1)
    strategy.tell(ask, Outcome(0.3))
    with pytest.raises(InputError, match="evaluation 0 must be told once"):
        strategy.tell(ask, Outcome(0.3))
    with pytest.raises(InputError, match="another parameter space"):
        strategy.tell(Ask(1, np.zeros(5), "design"), Outcome(0.3))


def test_a_design_that_fails_altogether_is_a_run_error():
    strategy = PaperStrategy(2, settings(n_design=3), seed=0)
    for ask in strategy.ask(3):
        strategy.tell(ask, Outcome(None))
    with pytest.raises(RunError, match="all 3 failed"):
        strategy.ask(1)
