"""Ordered fits repeat, whoever comes back first, and wherever they are broken off."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.fit.paper import ExploreSettings, PaperSettings, PaperStrategy
from lammpsfit.fit.paper.conjugate_gradient import DescentSettings
from lammpsfit.fit.run.ask_order import Eager, Ordered

LENGTH = 40


def strategy():
    settings = PaperSettings(
        ExploreSettings(n_design=8, plateau=6, max_explore=12), DescentSettings(max_iterations=2)
    )
    return PaperStrategy(2, settings, seed=5, start=np.array([0.8, 0.8]))


def record(ask, note):
    """The record of an analytic evaluation, some of which fail."""
    failed = ask.id % 7 == 6
    cost = float(0.1 + np.sum((ask.x - 0.3) ** 2))
    outcome = {"status": "failed"} if failed else {"status": "ok", "objective": [cost, 0.001]}
    head = {"id": ask.id, "x": ask.x.tolist(), "stage": ask.stage}
    return head | outcome | note


def run(order, workers, seed, records, length=LENGTH):
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
    return sorted((r["id"], r["x"], r["stage"]) for r in records)


def test_an_ordered_fit_does_not_depend_on_the_workers():
    alone = run(Ordered(strategy(), [], ahead=4), 1, 0, [])
    stages = {r["stage"] for r in alone}
    assert stages == {"start", "design", "explore", "refine"}
    for workers, seed in ((2, 1), (3, 2), (4, 3), (9, 4)):
        several = run(Ordered(strategy(), [], ahead=4), workers, seed, [])
        # what is open at the very end depends on who is still out
        shared = min(len(alone), len(several)) - 4
        assert by_number(several)[:shared] == by_number(alone)[:shared]


def test_an_eager_fit_does():
    first, other = (run(Eager(strategy(), []), 3, seed, []) for seed in (1, 2))
    assert by_number(first) != by_number(other)


@pytest.mark.parametrize("stop", [1, 5, 9, 13, 17, 21, 25, 29, 33])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_broken_off_ordered_fit_goes_on_as_it_would_have(stop, workers):
    whole = run(Ordered(strategy(), [], ahead=4), workers, 7, [])
    begun = run(Ordered(strategy(), [], ahead=4), workers, 8, [], length=stop)
    resumed = run(Ordered(strategy(), begun, ahead=4), workers, 9, list(begun))
    shared = min(len(whole), len(resumed)) - 4
    assert by_number(resumed)[:shared] == by_number(whole)[:shared]
    numbers = [r["id"] for r in resumed]
    assert len(set(numbers)) == len(numbers)


def test_answers_at_points_a_little_off_are_used_where_they_were_got():
    records = run(Ordered(strategy(), [], ahead=2), 1, 0, [], length=6)
    records[4]["x"][0] += 1e-4
    # number 3 was lost, so that 4 has an answer before it is asked for again
    begun = records[:3] + records[4:]
    whole = run(Ordered(strategy(), begun, ahead=2), 1, 0, list(begun))
    numbers = [r["id"] for r in whole]
    assert sorted(numbers) == list(range(len(whole)))
    assert by_number(whole)[4] == by_number(records)[4]


def test_the_journal_of_an_eager_fit_is_refused():
    records = run(Eager(strategy(), []), 2, 0, [], length=6)
    with pytest.raises(InputError, match=r"must be that of an ordered fit"):
        Ordered(strategy(), records, ahead=2)
