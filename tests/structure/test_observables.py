"""All structure of frames in blocks: what the blocks say of the errors."""

import numpy as np
import pytest

from lammpsfit.structure.observables import observe, pooled
from lammpsfit.structure.pair_counts import Composition

EDGE, N, BLOCKS = 20.0, 200, 10
CELL = EDGE * np.eye(3)
COMPOSITION = Composition.of(["A"] * 80 + ["B"] * 120)


def of(positions, cutoffs=None):
    return observe(COMPOSITION, positions, CELL, BLOCKS, 0.05, cutoffs or {})


def test_of_frozen_atoms_the_errors_of_s_hold():
    """A glass: all frames are one, and time tells nothing of how far its speckles are off."""
    frozen = np.random.default_rng(8).uniform(0, EDGE, (N, 3))
    factors = of(np.repeat(frozen[None], BLOCKS, axis=0)).factors
    large = factors.q > 4.0  # where a bin holds far more wavevectors than a block takes
    error = factors.blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS)
    off = (factors.blocks.mean(axis=0) - 1)[:, large] / error[:, large]
    assert 0.7 < np.sqrt(np.mean(off**2)) < 1.5
    assert error[:, large].min() > 0.01


def test_g_and_bonds_of_blocks():
    rng = np.random.default_rng(9)
    positions = rng.uniform(0, EDGE, (2 * BLOCKS, N, 3))
    found = of(positions, {"A-B": 4.0})
    assert found.rdf.blocks.shape == (BLOCKS, 3, 200)
    assert found.rdf.g[:, 20:].mean(axis=1) == pytest.approx(1, abs=0.05)
    density = 120 / EDGE**3
    around = {one.centre: one.number for one in found.bonding[0]}
    expected = density * 4 / 3 * np.pi * 4.0**3
    assert abs(around["A"].mean - expected) < 4 * around["A"].error
    assert found.bonding[1].triples == ("B-A-B", "A-B-A")
    assert found.angle_blocks("A-B-A").shape == (BLOCKS, 180)
    # of points at random every direction is alike: p(θ) = sin(θ) / 2
    total = found.angle_blocks("B-A-B").sum(axis=0).reshape(18, 10).sum(axis=1)
    edges = np.cos(np.radians(np.arange(0, 181, 10)))
    wanted = total.sum() * (edges[:-1] - edges[1:]) / 2
    assert total.sum() > 5000
    assert np.abs((total - wanted) / np.sqrt(wanted)).max() < 6  # angles share their bonds


def test_without_bonds_there_are_none():
    positions = np.random.default_rng(1).uniform(0, EDGE, (BLOCKS, N, 3))
    assert of(positions).bonds == ()


def test_several_runs_are_blocks_of_one():
    """Their boxes differ: the mean is that of the runs, and the error that between them."""
    rng = np.random.default_rng(3)
    runs = []
    for edge in (20.0, 19.0, 21.0):
        positions = rng.uniform(0, edge, (BLOCKS, N, 3))
        cell = edge * np.eye(3)
        runs.append(observe(COMPOSITION, positions, cell, BLOCKS, 0.05, {"A-B": 4.0}))
    one = pooled(runs)
    assert one.rdf.r[-1] < 9.5 < runs[0].rdf.r[-1]  # half the smallest box
    assert one.rdf.blocks.shape == (3, 3, one.rdf.r.size)
    means = np.array([run.rdf.g[1, 100] for run in runs])
    assert one.rdf.g[1, 100] == pytest.approx(means.mean())
    assert one.rdf.variance[1, 100] == pytest.approx(means.var(ddof=1) / 3)
    assert one.factors.blocks[0] == pytest.approx(runs[0].factors.blocks.mean(axis=0))
    numbers = [run.bonding[0][0].number.mean for run in runs]
    found = one.bonding[0][0].number
    assert found.mean == pytest.approx(np.mean(numbers))
    assert found.error == pytest.approx(np.std(numbers, ddof=1) / np.sqrt(3))
    assert one.angle_blocks("A-B-A").sum() == sum(x.angle_blocks("A-B-A").sum() for x in runs)
