import math
import pickle

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.structure.rdf import (
    PartialRdf,
    canonical_pair,
    rdf_from_counts,
    same_pair,
    shell_volumes,
)

R = np.arange(0.05, 4.0, 0.1)


def make_rdf(n_blocks=8, pairs=("Si-O", "O-O"), r=R, seed=0):
    rng = np.random.default_rng(seed)
    return PartialRdf.from_blocks(pairs, r, rng.uniform(0.5, 2.0, (n_blocks, len(pairs), r.size)))


def ordered_counts(a, b, box, edges):
    """Neighbours of a among b within a periodic cube; an atom is not its own neighbour."""
    d = a[:, None] - b[None]
    d -= box * np.round(d / box)
    distances = np.linalg.norm(d, axis=-1).ravel()
    return np.histogram(distances[distances > 0.0], edges)[0]


@pytest.mark.parametrize("same", [True, False])
def test_ideal_gas_is_one(same):
    rng = np.random.default_rng(1)
    box, n_i, n_j, n_frames = 8.0, 40, 40 if same else 25, 300
    edges = np.linspace(0.0, 4.0, 21)
    counts = np.zeros((n_frames, 20))
    for k in range(n_frames):
        a = rng.uniform(0.0, box, (n_i, 3))
        b = a if same else rng.uniform(0.0, box, (n_j, 3))
        counts[k] = ordered_counts(a, b, box, edges)
    g = rdf_from_counts(counts, n_i, n_j, same, box**3, edges)
    error = g.std(axis=0, ddof=1) / math.sqrt(n_frames)
    populated = counts.sum(axis=0) > 50
    assert populated.sum() > 15
    assert np.all(np.abs(g.mean(axis=0) - 1.0)[populated] < 4.5 * error[populated])
    # With N instead of N - 1 the mean would be 0.975: far outside the error of the whole.
    volume = shell_volumes(edges)
    assert np.average(g.mean(axis=0), weights=volume) == pytest.approx(1.0, abs=0.01)


def test_shells_fill_the_sphere():
    edges = np.array([0.0, 0.3, 1.1, 2.0])
    assert shell_volumes(edges).sum() == pytest.approx(4.0 / 3.0 * math.pi * 8.0)


def test_counts_of_an_empty_species_are_refused():
    with pytest.raises(InputError, match="at least one pair of atoms"):
        rdf_from_counts([0.0], 1, 1, True, 100.0, [0.0, 1.0])


def test_pairs_have_no_order():
    assert same_pair("Si-O", "O-Si")
    assert not same_pair("Si-O", "Si-Si")
    for wrong in ("SiO", "Si-", "-", "Si-O-Si", "Si -O"):
        with pytest.raises(InputError, match="two species joined by '-'"):
            canonical_pair(wrong)


def test_variance_of_the_mean():
    rdf = make_rdf(n_blocks=6)
    expected = np.var(rdf.blocks, axis=0, ddof=1) / 6
    np.testing.assert_allclose(rdf.variance, expected)
    assert not PartialRdf(rdf.pairs, rdf.r, rdf.g).variance.any()
    assert not make_rdf(n_blocks=1).variance.any()


def test_select_keeps_centres_inside():
    part = make_rdf().select(1.0, 2.0)
    np.testing.assert_allclose(part.r, np.arange(1.05, 2.0, 0.1))
    assert part.g.shape == (2, 10)
    assert part.blocks.shape == (8, 2, 10)
    with pytest.raises(InputError, match="at least two bins"):
        make_rdf().select(1.0, 1.1)


def test_reorder_takes_subsets_in_either_spelling():
    rdf = make_rdf()
    swapped = rdf.reorder(["O-O", "O-Si"])
    assert swapped.pairs == ("O-O", "O-Si")
    np.testing.assert_array_equal(swapped.g, rdf.g[::-1])
    np.testing.assert_array_equal(swapped.blocks, rdf.blocks[:, ::-1])
    assert rdf.reorder(["O-O"]).pairs == ("O-O",)
    with pytest.raises(InputError, match="no pair Si-Si: it has Si-O, O-O"):
        rdf.reorder(["Si-Si"])


@pytest.mark.parametrize(("n_blocks", "lengths"), [(8, [2, 2, 2, 2]), (10, [3, 3, 2, 2])])
def test_segments_keep_time_order(n_blocks, lengths):
    rdf = make_rdf(n_blocks)
    parts = rdf.segments(4)
    assert [len(part.blocks) for part in parts] == lengths
    np.testing.assert_array_equal(np.concatenate([part.blocks for part in parts]), rdf.blocks)
    mean = sum(n * part.g for n, part in zip(lengths, parts, strict=True)) / n_blocks
    np.testing.assert_allclose(mean, rdf.g)
    with pytest.raises(InputError, match="at least 11 blocks, got 10"):
        make_rdf(10).segments(11)


def test_value_cannot_be_changed_and_travels():
    g = np.ones((1, R.size))
    rdf = PartialRdf(("O-O",), R, g)
    g[:] = 7.0
    assert rdf.g.max() == 1.0
    with pytest.raises(ValueError, match="read-only"):
        rdf.g[0, 0] = 2.0
    copy = pickle.loads(pickle.dumps(make_rdf()))
    np.testing.assert_array_equal(copy.blocks, make_rdf().blocks)


def test_edges():
    rdf = make_rdf()
    assert rdf.dr == pytest.approx(0.1)
    np.testing.assert_allclose(rdf.edges, np.arange(41) * 0.1, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": ("Si-O",)}, r"shape \(pairs, bins\)"),
        ({"pairs": ("Si-O", "O-Si")}, "named once, got O-Si twice"),
        ({"pairs": (), "g": np.ones((0, R.size))}, "at least one pair"),
        ({"r": R[::-1]}, "must increase"),
        ({"r": R**2}, "must be uniform"),
        ({"r": R[:1]}, "at least two bin centres"),
        ({"g": np.full((2, R.size), np.nan)}, "must be finite"),
        ({"blocks": np.ones((3, 1, R.size))}, "blocks must have shape"),
        ({"blocks": np.zeros((3, 2, R.size))}, "must average to g"),
    ],
)
def test_wrong_values_are_refused(change, message):
    fields = {"pairs": ("Si-O", "O-O"), "r": R, "g": np.ones((2, R.size)), "blocks": None}
    with pytest.raises(InputError, match=message):
        PartialRdf(**(fields | change))
