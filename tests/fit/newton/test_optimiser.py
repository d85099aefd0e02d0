"""Descents as an optimiser: that they repeat, resume, and do not disturb each other."""

import itertools
from collections import Counter

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.fit.base import Ask, Outcome
from lammpsfit.fit.design import sobol_design
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.descent import End, GaussNewtonSettings
from lammpsfit.fit.newton.local_model import LocalModel
from lammpsfit.fit.newton.optimiser import FIRST_LOOK, STAGE, GaussNewton, MultistartSettings
from lammpsfit.fit.run.ask_order import Eager, Ordered
from lammpsfit.fit.run.records import as_told
from lammpsfit.structure.fluctuations import Response

SEED = 5
START = np.array([0.15, 0.8])
TRUTH = np.array([0.7, 0.4])
FLOOR = 0.1
BLOCKS = 8


def residuals(x):
    """Bent ones, with their minimum at TRUTH, shape (3,)."""
    u, v = x - TRUTH
    return np.array([2 * (v + u**2), u, FLOOR])


def jacobian(x):
    u = x[0] - TRUTH[0]
    return np.array([[4 * u, 2.0], [1.0, 0.0], [0.0, 0.0]])


def run_of(number):
    """What evaluation `number` keeps: the noise of its blocks on residuals and slopes."""
    return 0.01 * np.random.default_rng([6, number]).standard_normal((BLOCKS, 3, 3))


def linearise(runs, x):
    exact = np.column_stack([residuals(x), jacobian(x)])
    blocks = exact + np.concatenate([run for _, run in runs])
    without = (blocks.sum(axis=0) - blocks) / (len(blocks) - 1)
    whole = blocks.mean(axis=0)
    response = Response.of(
        whole[:, 0], whole[:, 1:], 50.0**2 * np.eye(2), without[:, :, 0], without[:, :, 1:]
    )
    return LocalModel(response, float(len(blocks)), float(len(runs)))


def optimiser(
    starts=1, start=START, batch=1, restarts=20, constraint=None, stuck=np.inf, meet=0.0, **descent
):
    """Make a search whose descents do not meet, unless the test says at which distance."""
    descent = GaussNewtonSettings(batch=batch, patience=3, **descent)
    settings = MultistartSettings(starts, restarts, stuck, meet, descent)
    return GaussNewton(2, settings, linearise, SEED, constraint, start)


def outcome(ask, fails=False):
    if fails:
        return Outcome(None)
    cost = float(np.linalg.norm(residuals(ask.x)))
    return Outcome(cost, 0.01, run=run_of(ask.id))


def unlucky(ask):
    """Whether an evaluation fails, some do."""
    return ask.id % 7 == 6


def never(ask):
    """Whether an evaluation fails, none does."""
    return False


def search(search, workers=1, most=300, fails=unlucky):
    """Run an optimiser to its end; return what was told, in order."""
    told = []
    while not search.done and len(told) < most:
        asks = search.ask(workers)
        assert asks, "neither done nor asking"
        for ask in asks:
            told.append((ask, outcome(ask, fails(ask))))
            search.tell(*told[-1])
    return told


def same(asks, others):
    assert [(a.id, a.stage, a.origin) for a in asks] == [(a.id, a.stage, a.origin) for a in others]
    np.testing.assert_array_equal([a.x for a in asks], [a.x for a in others])


# Where it goes


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("batch", [1, 2])
def test_all_descents_arrive(workers, batch):
    several = optimiser(starts=3, batch=batch)
    told = search(several, workers)
    assert several.done
    assert several.ends == [End.QUIET] * 3
    assert several.ask(5) == []
    stages = {ask.stage for ask, _ in told}
    assert stages == {STAGE, f"{STAGE} 2", f"{STAGE} 3"}
    for stage in stages:
        nearest = min(np.abs(ask.x - TRUTH).max() for ask, _ in told if ask.stage == stage)
        assert nearest < 0.02


@pytest.mark.parametrize("workers", [1, 5])
def test_of_descents_that_meet_one_goes_on(workers):
    alone, several = optimiser(starts=3), optimiser(starts=3, meet=1.0)
    apart, told = search(alone, workers), search(several, workers)
    assert several.done
    assert sorted(several.ends) == sorted([End.QUIET, End.MET, End.MET])
    assert len(told) < len(apart)
    (last,) = (d for d in several.descents if d.end is End.QUIET)
    assert np.abs(last.at.x - TRUTH).max() < 0.02
    for gone in several.descents:
        assert np.abs(gone.at.x - last.at.x).max() < 0.1
    assert several.ranking(1)[0].cost == pytest.approx(alone.ranking(1)[0].cost, abs=0.01)


def test_what_a_descent_had_asked_before_it_met_another_is_still_taken_in():
    several = optimiser(starts=2, meet=np.inf)
    first, second = several.ask(2)
    several.tell(first, outcome(first))
    late = several.ask(2)[0]
    assert late.stage == first.stage
    several.tell(second, outcome(second))  # both had one evaluation: the one that moved leaves
    assert several.ends == [None, End.MET]
    several.tell(late, outcome(late))
    again = Ask(7, second.x, second.stage, origin=second.id, keep=True)
    several.tell(again, outcome(again))
    assert [seen.id for seen in several.descents[1].trail.runs] == [second.id, 7]
    assert several.ends == [None, End.MET]
    assert {ask.stage for ask in several.ask(9)} == {STAGE}


def test_after_a_first_look_the_lowest_goes_first():
    several = optimiser(starts=3, start=np.array([0.05, 0.05]))
    told = search(several, workers=1, fails=never)
    counts, costs = Counter(), {}
    for ask, result in told:
        if counts[ask.stage] >= FIRST_LOOK:
            rest = [
                d for d in several.descents if counts[d.stage] < d.told and d.stage != ask.stage
            ]
            assert all(counts[d.stage] >= FIRST_LOOK for d in rest)
            assert all(costs[ask.stage] <= costs[d.stage] for d in rest)
        counts[ask.stage] += 1
        costs[ask.stage] = min(result.cost, costs.get(ask.stage, np.inf))
    assert max(counts.values()) > FIRST_LOOK


def test_asks_are_kept_and_numbered_without_gaps():
    told = search(optimiser(starts=3, batch=2), workers=4)
    asks = [ask for ask, _ in told]
    assert all(ask.keep for ask in asks)
    assert sorted(ask.id for ask in asks) == list(range(len(asks)))
    stage_of = {ask.id: ask.stage for ask in asks}
    for ask in asks:
        assert ask.origin is None or stage_of[ask.origin] == ask.stage


def test_the_smallest_unused_number_is_given():
    several = optimiser(starts=4)
    first, second, third, fourth = optimiser(starts=4).ask(4)
    assert [ask.id for ask in (first, second, third, fourth)] == [0, 1, 2, 3]
    # 0 and 2 were lost
    for ask in (second, fourth):
        several.tell(ask, outcome(ask))
    asks = several.ask(9)
    assert [ask.id for ask in asks] == [0, 2, 4, 5]
    assert [(ask.stage, ask.origin) for ask in asks] == [
        (first.stage, None),
        (second.stage, 1),
        (third.stage, None),
        (fourth.stage, 3),
    ]


def test_starts_are_the_given_one_and_sobol_points():
    asks = optimiser(starts=4).ask(9)
    points = np.array([ask.x for ask in asks])
    np.testing.assert_array_equal(points[0], START)
    np.testing.assert_array_equal(points[1:], sobol_design(3, Domain(2), SEED))
    asks = optimiser(starts=2, start=None).ask(9)
    np.testing.assert_array_equal([ask.x for ask in asks], points[1:3])


def test_nothing_it_asks_is_forbidden():
    wall = lambda X: 0.55 - X[:, 0] * X[:, 1] - 0.5 * X[:, 0]  # noqa: E731
    told = search(optimiser(starts=3, batch=2, constraint=wall), workers=3)
    points = np.array([ask.x for ask, _ in told])
    assert (wall(points) >= 0).all()
    assert wall(points).min() < 0.01, "no edge was reached, nothing tested"
    assert points.min() >= 0
    assert points.max() <= 1


# Several at a time


def test_as_many_are_asked_as_there_are_descents_and_steps():
    several = optimiser(starts=3, batch=2)
    starts = several.ask(99)
    assert len(starts) == 3
    assert several.ask(99) == []
    for ask in starts[:2]:
        several.tell(ask, outcome(ask))
    steps = several.ask(99)
    assert [ask.stage for ask in steps] == [STAGE] * 2 + [f"{STAGE} 2"] * 2
    several.tell(steps[0], outcome(steps[0]))
    assert several.ask(99) == [], "the first descent waits for its other step"
    assert not several.done


def paths(told):
    """What each descent asked, by stage, in order."""
    stages = sorted({ask.stage for ask, _ in told})
    return {stage: [ask for ask, _ in told if ask.stage == stage] for stage in stages}


def test_descents_do_not_depend_on_each_others_order():
    # the noise belongs to the point here, as numbers depend on who asks first
    def tell(several, ask):
        number = int(abs(float(ask.x @ [1e6, 3e6]))) % 2**31
        cost = float(np.linalg.norm(residuals(ask.x)))
        several.tell(ask, Outcome(cost, 0.01, run=run_of(number)))
        return ask, None

    def play(first):
        several, told, waiting = optimiser(starts=3), [], []
        while not several.done:
            waiting += several.ask(9)
            # always the descent `first`, until it has ended; then the next one
            waiting.sort(key=lambda ask: (ask.stage != first, ask.stage))
            told.append(tell(several, waiting.pop(0)))
        return paths(told)

    one = play(STAGE)
    for first in (f"{STAGE} 2", f"{STAGE} 3"):
        other = play(first)
        assert one.keys() == other.keys()
        for stage, asks in one.items():
            np.testing.assert_array_equal([a.x for a in asks], [a.x for a in other[stage]])


# That they repeat


@pytest.mark.parametrize("batch", [1, 2])
def test_told_a_prefix_it_asks_what_the_original_asked(batch):
    told = search(optimiser(starts=2, batch=batch))
    for n in [*range(8), *range(8, len(told), 5)]:
        fresh = optimiser(starts=2, batch=batch)
        for pair in told[:n]:
            fresh.tell(*pair)
        same(fresh.ask(1), [told[n][0]])


def test_told_everything_it_is_done():
    original = optimiser(starts=2)
    told = search(original)
    fresh = optimiser(starts=2)
    for pair in told:
        fresh.tell(*pair)
    assert fresh.done
    assert fresh.ends == original.ends
    for one, other in zip(fresh.ranking(3), original.ranking(3), strict=True):
        assert (one.ask.id, one.cost, one.error) == (other.ask.id, other.cost, other.error)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_in_a_batch_does_not_matter(seed):
    """Repetitions of one step are told apart by their numbers alone."""
    rng = np.random.default_rng(seed)
    several, told = optimiser(start=TRUTH + np.array([0.01, 0.0]), batch=3), []
    while not several.done:
        for ask in rng.permutation(np.array(several.ask(9), dtype=object)):
            told.append((ask, outcome(ask)))
            several.tell(*told[-1])
    points = np.array([ask.x for ask, _ in told[1:4]])
    np.testing.assert_array_equal(points[0], points[1])
    for n in range(0, len(told), 3):
        fresh = optimiser(start=TRUTH + np.array([0.01, 0.0]), batch=3)
        for pair in told[: n + 1]:
            fresh.tell(*pair)
        expected = sorted((ask for ask, _ in told[n + 1 : n + 4]), key=lambda ask: ask.id)
        same(fresh.ask(9), expected)


# In both orders of asking


def record(ask, note):
    """The record of an evaluation; what it kept is elsewhere."""
    told = outcome(ask, unlucky(ask))
    found = {"status": "ok", "objective": [told.cost, told.error]} if told.ok else {"status": "no"}
    head = {"id": ask.id, "x": ask.x.tolist(), "stage": ask.stage, "kept": ask.keep}
    return head | found | note | ({} if ask.origin is None else {"origin": ask.origin})


def read(record):
    """Attach the run to what is told."""
    ask, told = as_told(record)
    return ask, outcome(ask) if told.ok else told


def farm(order, workers, seed, records, length):
    """Play a farm whose workers come back at random, until `length` evaluations are there."""
    rng = np.random.default_rng(seed)
    running = []
    while len(records) < length:
        running += order.ask(min(workers - len(running), length - len(records) - len(running)))
        if not running:
            break
        ask = running.pop(rng.integers(len(running)))
        records.append(record(ask, order.note(ask)))
        order.take(records[-1])
    return records


def by_number(records):
    return sorted((r["id"], r["x"], r["stage"], r.get("origin")) for r in records)


def ordered(records, batch=2):
    return Ordered(optimiser(starts=3, batch=batch), records, ahead=4, read=read)


ENDLESS = 10**6


def test_an_ordered_fit_does_not_depend_on_the_workers():
    alone = farm(ordered([]), 1, 0, [], ENDLESS)
    assert len(alone) > 30
    for workers, seed in ((2, 1), (4, 2), (9, 3)):
        assert by_number(farm(ordered([]), workers, seed, [], ENDLESS)) == by_number(alone)


@pytest.mark.parametrize("batch", [1, 2])
def test_an_ordered_fit_that_is_broken_off_goes_on_as_it_would_have(batch):
    whole = farm(ordered([], batch), 1, 0, [], ENDLESS)
    for stop in (1, 3, 4, 8, 15, 23, 31, len(whole) - 1, len(whole)):
        begun = farm(ordered([], batch), 3, stop, [], stop)
        resumed = farm(ordered(begun, batch), 2, stop + 1, list(begun), ENDLESS)
        assert by_number(resumed) == by_number(whole)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("workers", [1, 4])
def test_an_eager_fit_goes_on_after_any_interruption(batch, workers):
    """What was out is lost each time; all the journal says must still fit."""
    several = lambda: optimiser(starts=2, batch=batch)  # noqa: E731
    records = []
    for round_ in itertools.count():
        search = several()
        farm(Eager(search, records, read), workers, round_, records, len(records) + 5)
        if search.done:
            break
        assert round_ < 100
    numbers = [r["id"] for r in records]
    assert len(set(numbers)) == len(numbers)
    assert all(r["kept"] for r in records)
    again = several()
    Eager(again, records, read)
    assert again.done
    assert again.ends == search.ends
    np.testing.assert_allclose(again.ranking(1)[0].ask.x, TRUTH, atol=0.02)


def test_an_eager_fit_broken_off_nowhere_replays_at_every_point():
    records = farm(Eager(optimiser(starts=2, batch=2), [], read), 4, 1, [], ENDLESS)
    for n in range(0, len(records), 3):
        fresh = optimiser(starts=2, batch=2)
        order = Eager(fresh, records[:n], read)
        following = {tuple(r["x"]) for r in records[n:]}
        asks = order.ask(1)
        assert all(tuple(ask.x) in following for ask in asks)


# Starts that fail


def test_a_start_that_fails_takes_the_next_point():
    bad = lambda ask: bool(ask.x[0] < 0.6)  # noqa: E731
    several = optimiser(starts=2)
    told = search(several, workers=2, fails=bad)
    begun = [tuple(ask.x) for ask, _ in told if ask.origin is None]
    points = list(dict.fromkeys(begun))
    n = len(points) - 1
    assert n > 2
    np.testing.assert_array_equal(points, [START, *sobol_design(n, Domain(2), SEED)])
    # those that fail are tried twice
    assert [begun.count(x) for x in points] == [2 if x[0] < 0.6 else 1 for x in points]
    assert several.ends == [End.QUIET] * 2


def test_a_descent_that_ends_far_up_begins_elsewhere():
    told = search(optimiser(restarts=2, stuck=0.9 * FLOOR), fails=never)
    begun = [ask.x for ask, _ in told if ask.origin is None]
    np.testing.assert_array_equal(begun, [START, *sobol_design(2, Domain(2), SEED)])
    assert len({ask.stage for ask, _ in told}) == 1
    for n in range(len(told)):
        fresh = optimiser(restarts=2, stuck=0.9 * FLOOR)
        for pair in told[: n + 1]:
            fresh.tell(*pair)
        same(fresh.ask(9), [ask for ask, _ in told[n + 1 : n + 2]])


def test_a_descent_that_ends_far_enough_down_does_not():
    told = search(optimiser(restarts=2, stuck=2 * FLOOR), fails=never)
    assert [ask.id for ask, _ in told if ask.origin is None] == [0]


@pytest.mark.parametrize("restarts", [0, 3])
def test_restarts_are_limited(restarts):
    several = optimiser(starts=2, restarts=restarts)
    told = search(several, fails=lambda ask: True)
    assert several.done
    assert several.ends == [End.FAILED] * 2
    # each start twice
    assert len(told) == 2 * (2 + restarts)
    assert len({tuple(ask.x) for ask, _ in told}) == 2 + restarts
    with pytest.raises(RunError, match="no evaluation of the search gave a cost"):
        several.ranking(1)


def test_a_descent_that_got_somewhere_is_not_begun_anew():
    several = optimiser(failures=2)
    told = search(several, fails=lambda ask: ask.origin is not None)
    assert several.ends == [End.FAILED]
    assert len(told) == 3
    assert [candidate.ask.id for candidate in several.ranking(5)] == [0]


def test_a_restart_replays():
    bad = lambda ask: bool(ask.x[0] < 0.5) or unlucky(ask)  # noqa: E731
    told = search(optimiser(starts=3), workers=2, fails=bad)
    fresh = optimiser(starts=3)
    for pair in told:
        fresh.tell(*pair)
    assert fresh.done


# What is best


def test_the_ranking_is_across_descents_by_rising_cost():
    several = optimiser(starts=3)
    told = dict((ask.id, (ask, o)) for ask, o in search(several))  # noqa: C402
    ranking = several.ranking(6)
    assert len(ranking) == 6
    assert len({candidate.ask.stage for candidate in ranking}) > 1
    costs = [candidate.cost for candidate in ranking]
    assert costs == sorted(costs)
    for candidate in ranking:
        ask, was = told[candidate.ask.id]
        np.testing.assert_array_equal(candidate.ask.x, ask.x)
        assert candidate.ask.stage == ask.stage
        assert candidate.outcome.cost == was.cost
        assert abs(candidate.cost - was.cost) < 4 * candidate.error + 0.01
    np.testing.assert_allclose(ranking[0].ask.x, TRUTH, atol=0.02)
    assert several.ranking(2)[1].ask.id == ranking[1].ask.id


# What a journal of other processors brings


@pytest.mark.parametrize("batch", [1, 2])
def test_points_a_little_off_are_those_that_were_asked(batch):
    fresh = optimiser(batch=batch)
    for ask, _ in search(optimiser(batch=batch), most=9, fails=never):
        off = Ask(ask.id, ask.x + 1e-4 * np.array([1.0, -1.0]), ask.stage, ask.origin)
        fresh.tell(off, outcome(off))
    # whole batches are told, so that nothing is open
    (following,) = fresh.ask(1)
    assert following.id == 9
    assert following.origin in range(9)
    fresh.tell(following, outcome(following))
    last = [(following, outcome(following)), *search(fresh, most=100, fails=never)]
    assert fresh.ends == [End.QUIET]
    assert min(np.abs(ask.x - TRUTH).max() for ask, _ in last) < 0.02


def test_points_nobody_asks_for_any_more_are_used_all_the_same():
    several = optimiser()
    search(several, most=3)
    foreign = [Ask(number, TRUTH + 0.01, STAGE) for number in (90, 91)]
    for ask in foreign:
        several.expect(ask)
        several.tell(ask, outcome(ask))
    assert several.ranking(1)[0].ask.id in (90, 91)
    search(several)
    assert several.ends == [End.QUIET]


# What it refuses


def test_a_stage_that_is_not_searched_is_refused():
    told = search(optimiser(), most=1)
    elsewhere = Ask(told[0][0].id, told[0][0].x, "design")
    with pytest.raises(InputError, match="belongs to a stage this search has not: design"):
        optimiser().tell(elsewhere, told[0][1])


def test_inputs_are_checked():
    with pytest.raises(InputError, match="at least one start, got 0"):
        MultistartSettings(starts=0)
    with pytest.raises(InputError, match="no fewer than 0 restarts, got -1"):
        MultistartSettings(restarts=-1)
    with pytest.raises(InputError, match="start must lie in the unit cube"):
        optimiser(start=np.array([0.5, 1.5]))
    with pytest.raises(InputError, match=r"start must have shape \(2,\), got \(3,\)"):
        optimiser(start=np.zeros(3))
    wall = lambda X: X[:, 0] - 0.5  # noqa: E731
    with pytest.raises(InputError, match="start must satisfy the constraint"):
        optimiser(constraint=wall)
    with pytest.raises(InputError, match="constraint must leave room"):
        optimiser(start=None, constraint=lambda X: -np.ones(len(X)))


# What an earlier search was told


def taken_over(told):
    return [(Ask(900_000 + ask.id, ask.x, "warm", keep=True), outcome) for ask, outcome in told]


def test_a_search_goes_on_from_the_best_of_an_earlier_one_and_needs_fewer_runs():
    first = search(optimiser(), fails=never)
    second = optimiser()
    second.recall(taken_over(first))
    (ask,) = second.ask(1)
    costs = {900_000 + a.id: o.cost for a, o in first}
    assert ask.origin in costs
    assert costs[ask.origin] < 1.02 * min(costs.values())
    assert ask.id == 0
    second.tell(ask, outcome(ask))
    more = search(second, fails=never)
    assert 1 + len(more) < len(first) / 2
    best = second.ranking(1)[0]
    assert np.linalg.norm(best.ask.x - TRUTH) < 0.02


def test_where_the_best_is_not_allowed_any_more_it_begins_at_another():
    first = search(optimiser(), fails=never)

    def left(points):
        return 0.6 - points[:, 0]

    second = optimiser(constraint=left)
    second.recall(taken_over(first))
    (ask,) = second.ask(1)
    allowed = {900_000 + a.id for a, _ in first if a.x[0] <= 0.6}
    assert ask.origin in allowed
    assert ask.x[0] <= 0.6


def test_where_none_is_allowed_it_begins_at_its_start():
    second = optimiser(constraint=lambda points: 0.16 - points[:, 0])
    second.recall([(Ask(900_007, TRUTH, "warm"), Outcome(0.1, 0.01, run=run_of(7)))])
    (ask,) = second.ask(1)
    np.testing.assert_array_equal(ask.x, START)
    assert ask.origin is None


def test_runs_beside_the_space_are_pooled_but_nothing_begins_there():
    near = [(Ask(-k, TRUTH, "warm"), Outcome(0.1, 0.01, run=run_of(100 + k))) for k in (1, 2, 3)]
    found = optimiser(start=TRUTH)
    found.recall([], near)
    (ask,) = found.ask(1)
    np.testing.assert_array_equal(ask.x, TRUTH)
    assert ask.origin is None
    found.tell(ask, outcome(ask))
    (candidate,) = found.ranking(5)
    assert candidate.ask.id == ask.id
    alone = optimiser(start=TRUTH)
    (again,) = alone.ask(1)
    alone.tell(again, outcome(again))
    assert candidate.error < alone.ranking(1)[0].error
