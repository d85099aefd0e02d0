import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.reference import read_rdf_table
from lammpsfit.structure.cost import DEFINITION, cost, residual_scale
from lammpsfit.structure.rdf import PartialRdf

SILICA = Path(__file__).parents[2] / "examples" / "silica"
PAIRS = ("Si-O", "O-O", "Si-Si")
R = np.arange(0.05, 6.0, 0.1)


def smooth(scale=1.0):
    """Three curves with a peak, far from noise."""
    centres = np.array([[1.6], [2.6], [3.1]])
    return 1.0 / (1.0 + np.exp(-8.0 * (R - centres))) + scale * np.exp(-8.0 * (R - centres) ** 2)


REFERENCE = PartialRdf(PAIRS, R, smooth())


def noisy(rng, g, sigma=0.2, n_blocks=20):
    return PartialRdf.from_blocks(PAIRS, R, g + sigma * rng.normal(size=(n_blocks, *g.shape)))


# The published curves against the published reference, read off the same figure:
# doi:10.1557/mrc.2019.47; R over r < 6 Å, in per cent.
@pytest.mark.parametrize(("name", "percent"), [("bks", 18.7), ("ml", 9.8)])
def test_published_curves(name, percent):
    reference = read_rdf_table(SILICA / "gr_aimd_3600K.csv")
    curve = read_rdf_table(SILICA / f"gr_{name}_3600K.csv")
    result = cost(curve, reference, r_max=6.0)
    assert 100.0 * result.value == pytest.approx(percent, abs=0.1)
    assert (result.r_min, result.r_max) == (0.0, 6.0)
    assert result.segments == ()
    assert math.isnan(result.error)
    assert result.corrected == result.value


def test_same_curves_cost_nothing():
    result = cost(REFERENCE, REFERENCE)
    assert result.value == 0.0
    assert all(pair.cost == 0.0 for pair in result.pairs.values())


def test_only_the_relative_difference_counts():
    for factor in (0.5, 1.3):
        scaled = PartialRdf(PAIRS, R, factor * REFERENCE.g)
        assert cost(scaled, REFERENCE).value == pytest.approx(abs(factor - 1.0))
        # The same factor on both sides cancels.
        other = PartialRdf(PAIRS, R, factor * smooth(2.0))
        same = cost(PartialRdf(PAIRS, R, smooth(2.0)), REFERENCE).value
        assert cost(other, scaled).value == pytest.approx(same)


def test_value_is_the_weighted_root_mean_square_of_the_pairs():
    sample = PartialRdf(PAIRS, R, smooth(1.5))
    chi2 = np.array([pair.chi2 for pair in cost(sample, REFERENCE).pairs.values()])
    assert cost(sample, REFERENCE).value == pytest.approx(math.sqrt(chi2.mean()))
    weighted = cost(sample, REFERENCE, weights={"O-Si": 3.0, "Si-Si": 0.0})
    assert weighted.value == pytest.approx(math.sqrt((3.0 * chi2[0] + chi2[1]) / 4.0))
    assert weighted.weights == {"Si-O": 3.0, "O-O": 1.0, "Si-Si": 0.0}
    assert [pair.chi2 for pair in weighted.pairs.values()] == pytest.approx(chi2)


@pytest.mark.parametrize("weights", [None, {"O-Si": 4.0, "O-O": 0.5}, {"Si-Si": 0.0}])
def test_squares_of_scaled_differences_add_up_to_the_squared_cost(weights):
    sample = PartialRdf(PAIRS, R, smooth(1.5))
    residuals = residual_scale(REFERENCE, weights)[:, None] * (sample.g - REFERENCE.g)
    result = cost(sample, REFERENCE, weights)
    assert np.sum(residuals**2) == pytest.approx(result.value**2)
    total = sum(result.weights.values())
    shares = [result.weights[pair] / total * result.pairs[pair].chi2 for pair in PAIRS]
    assert np.sum(residuals**2, axis=1) == pytest.approx(shares)


def test_a_scale_is_refused_what_a_cost_is():
    with pytest.raises(InputError, match="Na-O, which is no pair of the reference"):
        residual_scale(REFERENCE, {"Na-O": 1.0})
    empty = PartialRdf(("O-O",), R, np.zeros((1, R.size)))
    with pytest.raises(InputError, match="O-O is zero"):
        residual_scale(empty)


def test_pairs_match_in_either_order_and_spelling():
    sample = PartialRdf(PAIRS, R, smooth(1.5))
    shuffled = sample.reorder(["Si-Si", "O-Si", "O-O"])
    expected, result = cost(sample, REFERENCE), cost(shuffled, REFERENCE)
    assert result.value == expected.value
    assert list(result.pairs) == list(PAIRS)
    assert [pair.chi2 for pair in result.pairs.values()] == [
        pair.chi2 for pair in expected.pairs.values()
    ]


@pytest.mark.parametrize("weights", [None, {"Si-O": 4.0, "O-O": 0.5}])
def test_jackknife_error_is_the_spread_of_independent_runs(weights):
    rng = np.random.default_rng(3)
    runs = [cost(noisy(rng, smooth(1.3)), REFERENCE, weights) for _ in range(400)]
    spread = np.std([run.value for run in runs], ddof=1)
    assert np.sqrt(np.mean([run.error**2 for run in runs])) == pytest.approx(spread, rel=0.12)
    for pair in PAIRS:
        spread = np.std([run.pairs[pair].cost for run in runs], ddof=1)
        errors = [run.pairs[pair].error for run in runs]
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize("weights", [None, {"Si-O": 4.0, "O-O": 0.5}])
def test_correction_removes_the_inflation_by_noise(weights):
    rng = np.random.default_rng(4)
    true = cost(PartialRdf(PAIRS, R, smooth(1.2)), REFERENCE, weights).value
    runs = [cost(noisy(rng, smooth(1.2), sigma=0.4), REFERENCE, weights) for _ in range(400)]
    raw = np.array([run.value**2 for run in runs])
    corrected = np.array([run.corrected**2 for run in runs])
    tolerance = 4.0 * corrected.std(ddof=1) / math.sqrt(len(runs))
    assert corrected.mean() == pytest.approx(true**2, abs=tolerance)
    assert raw.mean() > true**2 + 5.0 * tolerance


def test_corrected_cost_of_pure_noise_is_not_negative():
    rng = np.random.default_rng(5)
    values = [cost(noisy(rng, smooth()), REFERENCE).corrected for _ in range(30)]
    assert min(values) == 0.0
    assert not np.isnan(values).any()


def test_range_selects_bins():
    g = smooth().copy()
    g[:, R > 3.0] += 1.0
    sample = PartialRdf(PAIRS, R, g)
    inner = cost(sample, REFERENCE, r_max=3.0)
    assert inner.value == 0.0
    assert (inner.r_min, inner.r_max) == (0.0, 3.0)
    outer = cost(sample, REFERENCE, r_min=3.0)
    chi2 = [np.sum(R > 3.0) / np.sum(ref[R > 3.0] ** 2) for ref in REFERENCE.g]
    assert outer.value == pytest.approx(math.sqrt(np.mean(chi2)))
    assert (outer.r_min, outer.r_max) == (3.0, 6.0)


def test_sample_may_go_on_beyond_the_reference():
    longer = np.arange(0.05, 8.0, 0.1)
    g = np.ones((2, 3, longer.size))
    g[:, :, : R.size] = smooth(1.4)
    sample = PartialRdf.from_blocks(PAIRS, longer, g)
    expected = cost(PartialRdf(PAIRS, R, smooth(1.4)), REFERENCE)
    assert cost(sample, REFERENCE).value == pytest.approx(expected.value)


def test_segments_show_drift():
    scales = np.repeat([1.1, 1.2, 1.3, 1.4], 5)
    sample = PartialRdf.from_blocks(PAIRS, R, [smooth(scale) for scale in scales])
    segments = cost(sample, REFERENCE).segments
    alone = [
        cost(PartialRdf(PAIRS, R, smooth(scale)), REFERENCE).value for scale in (1.1, 1.2, 1.3, 1.4)
    ]
    assert segments == pytest.approx(alone)
    three = PartialRdf.from_blocks(PAIRS, R, [smooth()] * 3)
    assert cost(three, REFERENCE).segments == ()


def test_definition_names_range_bins_and_weights():
    sample = PartialRdf(PAIRS, R, smooth(1.5))
    assert cost(sample, REFERENCE).definition == (
        "R = sqrt(mean over Si-O, O-O, Si-Si of sum_r (g_ref - g)^2 / sum_r g_ref^2), "
        "0 < r < 6.00 Å, bins 0.1 Å"
    )
    weighted = cost(sample, REFERENCE, weights={"O-O": 0.5}, r_min=1.0).definition
    assert "weighted mean over Si-O (weight 1), O-O (weight 0.5), Si-Si (weight 1)" in weighted
    assert "1.00 < r < 6.00 Å" in weighted
    assert "mean over pairs of" in DEFINITION(0.0, 8.0)


def test_cost_crosses_process_borders():
    result = cost(noisy(np.random.default_rng(0), smooth(1.2)), REFERENCE)
    assert pickle.loads(pickle.dumps(result)) == result


def test_other_bins_are_refused():
    r = np.arange(0.025, 6.0, 0.05)
    finer = PartialRdf(PAIRS, r, np.ones((3, r.size)))
    with pytest.raises(InputError, match=r"bins of the reference \(60 bins of 0.1 Å.*got 120 bins"):
        cost(finer, REFERENCE)
    with pytest.raises(InputError, match="sample g"):
        cost(REFERENCE.select(r_max=4.0), REFERENCE)
    with pytest.raises(InputError, match="sample g"):
        cost(PartialRdf(PAIRS, R + 0.05, smooth()), REFERENCE)


def test_other_pairs_are_refused():
    with pytest.raises(InputError, match=r"Si-Si missing from g\(r\): sample every pair"):
        cost(REFERENCE.reorder(["Si-O", "O-O"]), REFERENCE)
    with pytest.raises(InputError, match="O-O, Si-Si missing from the reference: add the column"):
        cost(REFERENCE, REFERENCE.reorder(["Si-O"]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"Na-O": 1.0}, "Na-O, which is no pair of the reference"),
        ({"O-O": -1.0}, "weight of O-O must be a number >= 0, got -1.0"),
        ({"O-O": math.nan}, "got nan"),
        (dict.fromkeys(PAIRS, 0.0), "at least one weight must be above 0"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        cost(REFERENCE, REFERENCE, weights)


@pytest.mark.parametrize(
    ("r_min", "r_max", "message"),
    [
        (0.0, 8.0, r"at most 6.00 Å, where the reference ends, got 8 Å"),
        (-1.0, None, "r_min must be at least 0"),
        (3.0, 2.0, "r_max must lie above r_min = 3 Å, got 2 Å"),
        (0.0, math.nan, "r_max must lie above"),
        (5.95, None, "at least two bins"),
    ],
)
def test_wrong_ranges_are_refused(r_min, r_max, message):
    with pytest.raises(InputError, match=message):
        cost(REFERENCE, REFERENCE, None, r_min, r_max)


def test_a_pair_without_weight_may_be_zero():
    """As of a species that the reference does not resolve."""
    rng = np.random.default_rng(4)
    g = np.vstack([1 + 0.1 * rng.standard_normal(R.size), np.zeros(R.size)])
    reference = PartialRdf(("Si-O", "O-O"), R, g)
    rdf = PartialRdf(("Si-O", "O-O"), R, np.ones_like(g))
    both = cost(rdf, reference, {"O-O": 0.0})
    alone = cost(PartialRdf(("Si-O",), R, rdf.g[:1]), PartialRdf(("Si-O",), R, g[:1]))
    assert both.value > 0
    assert both.value == pytest.approx(alone.value)
    assert set(both.pairs) == {"Si-O"}
    assert residual_scale(reference, {"O-O": 0.0})[1] == 0.0
    with pytest.raises(InputError, match="or give it weight 0"):
        cost(rdf, reference)


def test_range_where_the_reference_is_zero_is_refused():
    empty = PartialRdf(("O-O",), R, np.where(R < 2.0, 0.0, 1.0)[None])
    with pytest.raises(InputError, match=r"O-O is zero from 0.05 to 0.95 Å"):
        cost(empty, empty, r_max=1.0)
