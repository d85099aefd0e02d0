"""S(q) against what is known of gases, crystals and the Fourier transform of g(r)."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.structure.pair_counts import Composition, configuration_rdf
from lammpsfit.structure.structure_factor import structure_factors, transform, wavevectors

SHEARED = np.array([[20.0, 0.0, 0.0], [3.0, 18.0, 0.0], [-2.0, 4.0, 22.0]])


def binary(n, share=0.4):
    return Composition.of(["A"] * int(share * n) + ["B"] * (n - int(share * n)))


def spheres(rng, n, edge, diameter):
    """Hard spheres put into a box one after the other: g is 0 inside, and soon 1 beyond."""
    placed = np.empty((n, 3))
    number = 0
    while number < n:
        trial = rng.uniform(0, edge, 3)
        apart = placed[:number] - trial
        apart -= edge * np.round(apart / edge)
        if not number or np.min(np.sum(apart**2, axis=1)) > diameter**2:
            placed[number] = trial
            number += 1
    return rng.permutation(placed)


def direct(names, positions, cell, hkl, pair):
    """S_ab(q) at one wavevector by its definition, a double sum over atoms."""
    names = np.array(names)
    q = 2 * np.pi * np.linalg.inv(cell) @ hkl
    a, b = pair.split("-")
    total = 0.0
    for i in np.flatnonzero(names == a):
        for j in np.flatnonzero(names == b):
            if i != j:
                total += np.cos(q @ (positions[i] - positions[j]))
    return 1 + len(names) * total / (np.sum(names == a) * np.sum(names == b))


def test_of_few_atoms_it_is_the_double_sum():
    rng = np.random.default_rng(3)
    names = ["A"] * 5 + ["B"] * 7
    positions = rng.uniform(-30, 30, (12, 3))  # outside the cell, too
    vectors = wavevectors(SHEARED, 1.0, 1e-4, most=10**6)  # bins of one length each
    S = structure_factors(Composition.of(names), positions, SHEARED, vectors)
    lonely = np.flatnonzero(np.bincount(vectors.bins) == 1)
    assert lonely.size > 20
    for k in lonely[::5]:
        hkl = vectors.hkl[vectors.bins == k][0]
        for row, pair in enumerate(("A-A", "A-B", "B-B")):
            assert S[row, k] == pytest.approx(direct(names, positions, SHEARED, hkl, pair))


def test_wavevectors_are_all_of_the_box_and_one_of_each_two():
    vectors = wavevectors(SHEARED, 1.5, 0.1, most=10**6)
    reciprocal = 2 * np.pi * np.linalg.inv(SHEARED).T
    grid = np.stack(np.meshgrid(*[np.arange(-8, 9)] * 3), axis=-1).reshape(-1, 3)
    length = np.linalg.norm(grid @ reciprocal, axis=1)
    assert 2 * len(vectors.hkl) == np.sum((length > 0) & (length <= 1.5))
    both = np.concatenate([vectors.hkl, -vectors.hkl])
    assert len(np.unique(both, axis=0)) == len(both)
    found = np.linalg.norm(vectors.hkl @ reciprocal, axis=1)
    assert np.all(np.abs(vectors.q[vectors.bins] - found) < 0.1)


def test_of_many_wavevectors_some_are_taken_the_same_each_time():
    cell = 30.0 * np.eye(3)
    some, again = (wavevectors(cell, 8.0, 0.1, most=30) for _ in range(2))
    number = np.bincount(some.bins)
    assert number.max() < 60
    assert np.array_equal(some.hkl, again.hkl)
    others = wavevectors(cell, 8.0, 0.1, most=30, seed=1)
    assert len(others.q) == len(some.q)
    shared = np.isin(others.hkl @ [1, 1000, 10**6], some.hkl @ [1, 1000, 10**6])
    assert not shared[others.bins > 40].mean() > 0.1
    few = wavevectors(cell, 0.6, 0.1, most=30)
    every = wavevectors(cell, 0.6, 0.1, most=10**6)
    assert np.array_equal(few.hkl[few.bins < 3], every.hkl[every.bins < 3])


@pytest.mark.parametrize("cell", [22.0 * np.eye(3), SHEARED], ids=["cubic", "sheared"])
def test_an_ideal_gas_has_one_everywhere(cell):
    rng = np.random.default_rng(1)
    composition = binary(300)
    vectors = wavevectors(cell, 6.0, 0.5)
    S = np.array(
        [
            structure_factors(composition, rng.random((300, 3)) @ cell, cell, vectors)
            for _ in range(200)
        ]
    )
    error = S.std(axis=0, ddof=1) / np.sqrt(len(S))
    off = (S.mean(axis=0) - 1) / error
    assert np.abs(off).max() < 4.5
    assert abs(off.mean()) < 0.5
    assert error.max() < 0.1


def test_a_crystal_has_bragg_peaks_and_nothing_else():
    # rock salt: of all odd or all even h k l, those of odd ones tell A from B
    a, n = 5.0, 3
    grid = np.stack(np.meshgrid(*[np.arange(2 * n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    names = np.where(grid.sum(axis=1) % 2, "B", "A")
    order = np.argsort(names, kind="stable")
    composition = Composition.of(list(names[order]))
    cell = a * n * np.eye(3)
    vectors = wavevectors(cell, 4.0, 1e-4, most=10**6)
    S = structure_factors(composition, a / 2 * grid[order], cell, vectors)
    hkl = vectors.hkl / n  # of the cubic cell of the crystal
    whole = np.all(hkl == np.round(hkl), axis=1)
    even, odd = (whole & np.all(np.abs(hkl) % 2 == rest, axis=1) for rest in (0, 1))
    N, half = len(grid), len(grid) / 2
    expected = {"A-A": (N - 1, N - 1), "A-B": (N + 1, 1 - N), "B-B": (N - 1, N - 1)}
    for row, pair in enumerate(composition.pairs):
        # Σ over a bin of S - 1 + δ N/N_a is N/(N_a N_b) |ρ|² where a peak is, else 0
        background = 1 - (N / half if pair != "A-B" else 0.0)
        number = np.bincount(vectors.bins)
        share_even = np.bincount(vectors.bins, even) / number
        share_odd = np.bincount(vectors.bins, odd) / number
        at_even, at_odd = (value - background for value in expected[pair])
        wanted = background + share_even * at_even + share_odd * at_odd
        assert S[row] == pytest.approx(wanted, abs=1e-8)
    assert even.sum() > 3
    assert odd.sum() > 3


def test_it_is_the_transform_of_g():
    rng = np.random.default_rng(5)
    edge, n, diameter = 22.0, 400, 2.4
    composition, cell = binary(n), edge * np.eye(3)
    vectors = wavevectors(cell, 8.0, 0.4, most=60)
    S, g = [], []
    for _ in range(20):
        positions = spheres(rng, n, edge, diameter)
        S.append(structure_factors(composition, positions, cell, vectors))
        g.append(configuration_rdf(composition, positions, cell, 0.02, 550))
    r = 0.02 * (np.arange(550) + 0.5)
    rough = np.array([transform(r, one, n / edge**3, vectors.q) for one in g])
    beyond = vectors.q > 1.0  # below, the end of g at half the box is felt
    difference = np.array(S)[:, :, beyond] - rough[:, :, beyond]
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    assert np.abs(difference.mean(axis=0) / error).max() < 4.5
    assert error.max() < 0.15
    assert np.ptp(np.mean(S, axis=0)) > 0.5  # there is structure to be wrong about


def test_the_transform_of_a_hole_is_known():
    # g = 0 within R: S = 1 - 4πρ [sin(qR) - qR cos(qR)] / q³
    dr, R, density = 0.001, 2.0, 0.05
    r = dr * (np.arange(8000) + 0.5)
    q = np.array([0.0, 0.5, 2.0, 7.0])
    found = transform(r, np.where(r < R, 0.0, 1.0), density, q)
    later = q[1:]
    expected = (
        1 - 4 * np.pi * density * (np.sin(later * R) - later * R * np.cos(later * R)) / later**3
    )
    assert found[1:] == pytest.approx(expected, abs=1e-5)
    assert found[0] == pytest.approx(1 - density * 4 / 3 * np.pi * R**3, abs=1e-5)


def test_a_box_without_wavevectors_is_refused():
    with pytest.raises(InputError, match="use more atoms"):
        wavevectors(0.4 * np.eye(3), 12.0, 0.1)
