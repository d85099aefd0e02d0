import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from lammpsfit.errors import InputError
from lammpsfit.structure.bonding import ANGLE_BINS, BondCounter, bonding_of_blocks
from lammpsfit.structure.neighbours import bonds_within, heights, pairs_within
from lammpsfit.structure.pair_counts import Composition, configuration_rdf, first_minimum

EDGE = 7.16
SI_O = EDGE * np.sqrt(3) / 8


def beta_cristobalite():
    """Si on the sites of diamond, O half way between them."""
    fcc = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    ways = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 8
    o = (fcc[:, None] + ways).reshape(-1, 3)
    positions = EDGE * np.concatenate([fcc, fcc + 0.25, o])
    return Composition.of(["Si"] * 8 + ["O"] * 16), positions, EDGE * np.eye(3)


def rotation(seed):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return q


CELLS = {
    "cube": np.eye(3) * 6.0,
    "flat": np.diag([3.0, 9.0, 14.0]),
    "sheared": np.array([[6.0, 0.0, 0.0], [2.9, 5.0, 0.0], [-2.5, 1.9, 7.0]]),
    "very sheared": np.array([[5.0, 0.0, 0.0], [9.0, 5.0, 0.0], [-7.0, 8.0, 5.0]]),
    "left-handed": np.array([[0.0, 6.0, 0.0], [6.0, 1.0, 0.0], [0.0, 2.0, 6.0]]),
}


@pytest.mark.parametrize("cutoff", [1.5, 2.9, 7.5])
@pytest.mark.parametrize("cell", CELLS)
def test_neighbours_are_those_of_ase(cell, cutoff):
    """Also with a cutoff beyond the cell, and with atoms outside it."""
    turned = CELLS[cell] @ rotation(3)
    positions = np.random.default_rng(1).uniform(-12.0, 12.0, (30, 3))
    atoms = bulk("Al").repeat((30, 1, 1))
    atoms.set_cell(turned)
    atoms.positions = positions
    i, j, d = neighbor_list("ijd", atoms, cutoff)
    bonds = bonds_within(positions, turned, cutoff)
    assert np.all(np.diff(bonds.centre) >= 0)
    np.testing.assert_allclose(np.linalg.norm(bonds.vector, axis=1), bonds.length)
    for one, other, length in (
        (bonds.centre, bonds.neighbour, bonds.length),
        both_ways(*pairs_within(positions, turned, cutoff)),
    ):
        assert len(length) == len(d) > 0
        ours, theirs = np.lexsort((length, other, one)), np.lexsort((d, j, i))
        np.testing.assert_array_equal(one[ours], i[theirs])
        np.testing.assert_array_equal(other[ours], j[theirs])
        np.testing.assert_allclose(length[ours], d[theirs], atol=1e-12)


def both_ways(i, j, d):
    return np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([d, d])


def test_a_cutoff_and_a_cell_must_be_some():
    with pytest.raises(InputError, match="must be positive, got 0"):
        pairs_within([[0.0, 0.0, 0.0]], np.eye(3), 0.0)
    with pytest.raises(InputError, match="with a volume"):
        pairs_within([[0.0, 0.0, 0.0]], np.zeros((3, 3)), 1.0)


def test_heights_of_a_sheared_cell():
    cell = np.array([[4.0, 0.0, 0.0], [4.0, 3.0, 0.0], [0.0, 0.0, 5.0]])
    np.testing.assert_allclose(heights(cell), [4.0 * 3.0 / 5.0, 3.0, 5.0])


def test_shells_of_fcc():
    atoms = bulk("Al", a=4.0, cubic=True)
    names = Composition.of(["Al"] * 4)
    dr, n = 0.01, 580
    g = configuration_rdf(names, atoms.positions, atoms.cell.array, dr, n)[0]
    r = dr * (np.arange(n) + 0.5)
    # neighbours of an atom within r: N - 1 of N make the normalisation
    number = np.cumsum(g * 4 / 3 * np.pi * dr**3 * np.diff(np.arange(n + 1.0) ** 3) * 3 / 64.0)
    for radius, neighbours in ((2.0, 0), (3.0, 12), (4.2, 18), (5.2, 42), (5.75, 54)):
        assert number[np.searchsorted(r, radius)] == pytest.approx(neighbours, abs=1e-9)


def test_ideal_gas_is_one_also_in_a_sheared_cell():
    rng = np.random.default_rng(2)
    cell, n_bins, frames = CELLS["very sheared"], 8, 200
    names = Composition.of(["A"] * 7 + ["B"] * 12 + ["C"])
    g = np.array(
        [
            configuration_rdf(names, rng.uniform(size=(20, 3)) @ cell, cell, 0.12, n_bins)
            for _ in range(frames)
        ]
    )
    assert names.pairs == ("A-A", "A-B", "A-C", "B-B", "B-C")  # one C is no pair
    weights = np.diff(np.arange(n_bins + 1.0) ** 3)
    over_range = g @ weights / weights.sum()
    error = over_range.std(axis=0, ddof=1) / np.sqrt(frames)
    assert np.all(np.abs(over_range.mean(axis=0) - 1.0) < 4 * error)
    assert error.max() < 0.2


def test_beta_cristobalite():
    names, positions, cell = beta_cristobalite()
    rng = np.random.default_rng(0)
    counter = BondCounter(names, {"O-Si": 1.2 * SI_O})
    shifted = positions + cell[0] * rng.integers(-2, 3, (24, 1))  # not wrapped
    coordination, angles = bonding_of_blocks(counter, [counter.count(shifted, cell)] * 3)
    found = {(c.centre, c.neighbour): c for c in coordination}
    assert found["Si", "O"].number.mean == 4.0
    assert found["O", "Si"].number.mean == 2.0
    np.testing.assert_array_equal(found["Si", "O"].fraction, [0, 0, 0, 0, 1])
    mean = dict(zip(angles.triples, angles.mean, strict=True))
    assert mean.keys() == {"O-Si-O", "Si-O-Si"}
    assert mean["O-Si-O"].mean == pytest.approx(np.degrees(np.arccos(-1 / 3)), abs=1e-9)
    assert mean["Si-O-Si"].mean == pytest.approx(180.0, abs=1e-5)
    assert mean["O-Si-O"].error == pytest.approx(0.0, abs=1e-12)
    width = 180.0 / ANGLE_BINS
    np.testing.assert_allclose(angles.p.sum(axis=1) * width, 1.0)
    for triple, theta in (("O-Si-O", 109.5), ("Si-O-Si", 179.5)):
        assert angles.p[angles.triples.index(triple)].argmax() == int(theta / width)


def test_angles_are_those_of_a_loop():
    """Three species, every cutoff another: counted one by one."""
    rng = np.random.default_rng(4)
    kinds = ["A"] * 5 + ["B"] * 9 + ["C"] * 6
    positions, cell = rng.uniform(0.0, 5.0, (20, 3)), CELLS["sheared"]
    cutoffs = {"A-B": 2.4, "B-B": 1.9, "A-C": 3.1}
    counter = BondCounter(Composition.of(kinds), cutoffs)
    _, angles = bonding_of_blocks(counter, [counter.count(positions, cell)])
    expected = {}
    images = np.array(list(np.ndindex(5, 5, 5))) @ cell - 2 * cell.sum(axis=0)
    for b in range(20):
        bonds = []
        for k in range(20):
            reach = cutoffs.get("-".join(sorted((kinds[b], kinds[k]))), 0.0)
            vectors = positions[k] + images - positions[b]
            lengths = np.linalg.norm(vectors, axis=1)
            near = (lengths > 1e-9) & (lengths < reach)
            bonds += [(kinds[k], v) for v in vectors[near] / lengths[near, None]]
        for p, (a, u) in enumerate(bonds):
            for c, w in bonds[:p]:
                name = "-".join((min(a, c), kinds[b], max(a, c)))
                expected.setdefault(name, []).append(np.degrees(np.arccos(u @ w)))
    assert sorted(angles.triples) == sorted(expected)
    assert len(expected) > 5
    for name, p, mean in zip(angles.triples, angles.p, angles.mean, strict=True):
        histogram, _ = np.histogram(expected[name], ANGLE_BINS, (0.0, 180.0), density=True)
        np.testing.assert_allclose(p, histogram, atol=1e-12)
        assert mean.mean == pytest.approx(np.mean(expected[name]))
        assert np.isnan(mean.error)  # a single block


def test_errors_of_blocks_are_right():
    """The spread of many runs is what one run says of itself."""
    names, positions, cell = beta_cristobalite()
    rng = np.random.default_rng(7)
    counter = BondCounter(names, {"Si-O": 1.25 * SI_O})
    runs = []
    for _ in range(60):
        blocks = [
            counter.count(positions + 0.2 * rng.standard_normal((24, 3)), cell) for _ in range(8)
        ]
        coordination, angles = bonding_of_blocks(counter, blocks)
        angle = angles.mean[angles.triples.index("O-Si-O")]
        runs.append(
            [(coordination[0].number.mean, coordination[0].number.error), (angle.mean, angle.error)]
        )
    values = np.array(runs)
    spread = values[:, :, 0].std(axis=0, ddof=1)
    said = np.sqrt((values[:, :, 1] ** 2).mean(axis=0))
    np.testing.assert_allclose(said, spread, rtol=0.3)  # the spread of 60 runs is known to 9 %


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_first_minimum_is_the_end_of_the_first_shell(noise):
    r = 0.02 * (np.arange(300) + 0.5)
    g = np.where(r > 2.6, 1.0, 0.0) + 8 * np.exp(-(((r - 1.6) / 0.08) ** 2) / 2)
    g += 0.6 * np.exp(-(((r - 3.2) / 0.3) ** 2) / 2) - 0.6 * np.exp(-(((r - 4.3) / 0.4) ** 2) / 2)
    g[r > 1.0] += noise * np.random.default_rng(0).standard_normal(np.count_nonzero(r > 1.0))
    assert 1.9 < first_minimum(r, g) < 2.6
    g[40] = 1.2  # a pair too near, once
    assert 1.9 < first_minimum(r, g) < 2.6


def test_first_minimum_between_shells_of_a_crystal_is_in_the_middle():
    r = 0.02 * (np.arange(300) + 0.5)
    g = np.zeros(300)
    g[[80, 150, 151]] = 30.0, 20.0, 10.0
    assert first_minimum(r, g) == pytest.approx((r[80] + r[150]) / 2, abs=0.1)


def test_a_gas_has_no_first_minimum():
    r = 0.02 * (np.arange(300) + 0.5)
    rng = np.random.default_rng(1)
    assert first_minimum(r, np.where(r > 2, 1.0, 0.0) + 0.02 * rng.standard_normal(300)) is None
    assert first_minimum(r, np.zeros(300)) is None
