"""Runs that are ended early: when they may be, and what is kept of them."""

from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.child.process import run_in_child
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.racing import least_cost
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target.evaluate import Evaluate
from lammpsfit.target.terms.pair_distribution import PairDistribution

R = 0.1 * (np.arange(60) + 0.5)
STRUCTURE = PairDistribution(PartialRdf(("A-A",), R, np.ones((1, R.size))))
N = 20


def run_of(off, noise=0.0, seed=0):
    """Blocks of g = 1 + off, with noise of each bin; `off` is a number or one for each block."""
    rng = np.random.default_rng(seed)
    g = 1.0 + np.broadcast_to(off, N)[:, None, None] + noise * rng.normal(size=(N, 1, R.size))
    return PartialRdf.from_blocks(("A-A",), R, g)


def first(rdf, n):
    return PartialRdf.from_blocks(rdf.pairs, rdf.r, rdf.blocks[:n])


def bounds(rdf):
    return [least_cost(first(rdf, n), N, STRUCTURE.cost) for n in range(1, N)]


def test_a_bound_needs_four_blocks_and_a_quarter_of_the_run():
    rdf = run_of(0.5)
    assert [n for n, bound in enumerate(bounds(rdf), 1) if bound > 0] == list(range(5, N))
    assert least_cost(first(rdf, 3), 8, STRUCTURE.cost) == 0
    assert least_cost(first(rdf, 4), 8, STRUCTURE.cost) > 0
    assert least_cost(PartialRdf(rdf.pairs, rdf.r, rdf.g), N, STRUCTURE.cost) == 0


def test_a_run_without_noise_is_certain():
    assert bounds(run_of(0.5))[4:] == pytest.approx([0.5] * 15)


@pytest.mark.parametrize("noise", [0.01, 0.1, 1.0])
def test_the_bound_is_hardly_ever_above_what_the_run_ends_with(noise):
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng([1, seed])
        rdf = run_of(0.3 + noise * rng.normal(size=N), noise, seed)
        wrong += max(bounds(rdf)) > STRUCTURE.cost(rdf).value
    assert wrong <= 5


def test_what_is_all_noise_is_not_given_up():
    # bins scatter by 0.5: after five blocks R is 0.22, of which nothing is the potential's
    rdf = run_of(0.0, noise=0.5)
    assert STRUCTURE.cost(first(rdf, 5)).value > 0.18
    assert max(bounds(rdf)) < STRUCTURE.cost(rdf).value < 0.13


@pytest.mark.parametrize("time", [2.0, 5.0, 10.0])
def test_a_run_on_its_way_down_is_given_time(time):
    rdf = run_of(0.2 + 0.6 * np.exp(-np.arange(N) / time))
    ends_with = STRUCTURE.cost(rdf).value
    so_far = [STRUCTURE.cost(first(rdf, n)) for n in range(5, N)]
    assert max(cost.value - 4 * cost.error for cost in so_far) > ends_with or time == 2.0
    assert max(bounds(rdf)) <= ends_with


def test_a_run_on_its_way_up_is_no_excuse():
    down, up = (run_of(0.5 + slope * np.arange(N)) for slope in (-0.005, 0.005))
    assert bounds(up)[7] > bounds(down)[7] + 0.03


@pytest.fixture(scope="module")
def task(problem, structure):
    protocol = Protocol(3600.0, relax=0.05, sample=0.4, every_fs=10.0, blocks=8)
    return Evaluate(problem.potential, protocol, structure, 5, problem.target)


@pytest.fixture(scope="module")
def whole(task):
    return run_in_child(task, 60.0)


@pytest.mark.lammps
def test_a_run_that_is_given_up_has_the_bits_of_the_beginning(task, whole):
    early = run_in_child(replace(task, level=0.01), 60.0)
    assert np.array_equal(early.sample.rdf.blocks, whole.sample.rdf.blocks[:4])
    assert early.sample.atom_steps == 306 * (50 + 4 * 50)
    assert whole.sample.atom_steps == 306 * (50 + 8 * 50)
    assert early.given_up.level == 0.01
    assert (
        early.given_up.bound == least_cost(early.sample.rdf, 8, task.target.structure.cost) > 0.01
    )
    assert early.cost.value == task.target.structure.cost(early.sample.rdf).value
    assert whole.given_up is None


@pytest.mark.lammps
def test_a_run_is_given_up_no_earlier_than_its_level_says(task, whole):
    rdf = whole.sample.rdf
    found = {n: least_cost(first(rdf, n), 8, task.target.structure.cost) for n in range(4, 8)}
    expected = next((n for n in found if found[n] > found[4]), 8)
    again = run_in_child(replace(task, level=found[4]), 60.0)
    assert len(again.sample.rdf.blocks) == expected > 4
    assert (again.given_up is None) == (expected == 8)


@pytest.mark.lammps
def test_a_level_it_does_not_pass_changes_nothing(task, whole):
    again = run_in_child(replace(task, level=10.0), 60.0)
    assert np.array_equal(again.sample.rdf.blocks, whole.sample.rdf.blocks)
    assert (again.cost.value, again.given_up) == (whole.cost.value, None)
    assert again.sample.energy == whole.sample.energy
