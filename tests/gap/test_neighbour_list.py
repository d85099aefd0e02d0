"""Neighbours that are kept from frame to frame are those that would be found anew."""

from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.gap.graph import neighbourhood
from lammpsfit.gap.neighbour_list import NeighbourList
from lammpsfit.labelled.frames import Frame

CUTOFF, NEAR = 4.0, 3.0


def bonds(hood):
    """Bonds in an order of their own, and the order of the ranks."""
    rows = np.column_stack([hood.centre, hood.neighbour, np.round(hood.vector, 9)])
    return rows[np.lexsort(rows.T)]


def check_same(kept, frame):
    found = kept.neighbourhood(frame)
    anew = neighbourhood(frame, ("Al", "Ni"), CUTOFF, NEAR)
    np.testing.assert_array_equal(bonds(found), bonds(anew))
    assert (found.size, found.volume) == (anew.size, anew.volume)
    length = np.linalg.norm(found.vector, axis=1)
    for atom in range(len(frame)):
        own = found.centre == atom
        assert sorted(found.rank[own]) == list(range(own.sum()))
        is_near = length[own][np.argsort(found.rank[own])] < NEAR
        assert not np.any(np.diff(is_near.astype(int)) > 0), "near ones come first"


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
def test_a_walk_sees_the_neighbours_it_would_find_anew(small, pbc):
    frame = replace(small.frame(5), pbc=pbc).unlabelled()
    kept = NeighbourList(("Al", "Ni"), CUTOFF, NEAR, skin=0.5)
    rng = np.random.default_rng(3)
    for _ in range(20):
        check_same(kept, frame)
        step = rng.normal(0.0, 0.03, frame.positions.shape)
        frame = replace(frame, positions=frame.positions + step)
    assert 1 < kept.searches < 15


def test_a_cell_that_breathes_and_shears_is_followed(small):
    frame = small.frame(5).unlabelled()
    kept = NeighbourList(("Al", "Ni"), CUTOFF, NEAR, skin=0.5)
    rng = np.random.default_rng(4)
    for _ in range(20):
        check_same(kept, frame)
        F = np.eye(3) + rng.normal(0.0, 0.01, (3, 3))
        moved = frame.positions @ F + rng.normal(0.0, 0.01, frame.positions.shape)
        frame = replace(frame, cell=frame.cell @ F, positions=moved)
    assert 1 < kept.searches < 15


def test_one_atom_that_jumps_and_another_structure_are_noticed(small):
    kept = NeighbourList(("Al", "Ni"), CUTOFF, NEAR, skin=0.5)
    frame = small.frame(5).unlabelled()
    check_same(kept, frame)
    jumped = np.array(frame.positions)
    jumped[1] += [0.0, 0.26, 0.0]
    check_same(kept, replace(frame, positions=jumped))
    check_same(kept, replace(frame, positions=jumped, symbols=("Ni", "Al", "Al")))
    check_same(kept, Frame(("Al",), np.zeros((1, 3)), 9.0 * np.eye(3), (True,) * 3))
    assert kept.searches == 4


def test_without_a_skin_it_searches_unless_nothing_moved(small):
    kept = NeighbourList(("Al", "Ni"), CUTOFF, NEAR, skin=0.0)
    frame = small.frame(5).unlabelled()
    check_same(kept, frame)
    check_same(kept, replace(frame, positions=frame.positions + 1e-6))
    assert kept.searches == 2
