import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.md.sample import Sample
from lammpsfit.report.results import levels, plot_results, points, rows
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Target
from lammpsfit.target.terms.pair_distribution import PairDistribution

R = 0.1 * (np.arange(60) + 0.5)
REFERENCE = PartialRdf(("Si-O",), R, np.ones((1, R.size)))


def evaluation(factor):
    blocks = factor * np.ones((8, 1, R.size))
    estimates = (Estimate(3600.0, 1.0), Estimate(-1e4, 3.0), Estimate(-20.0, 0.1))
    sample = Sample(
        PartialRdf.from_blocks(("Si-O",), R, blocks), *estimates, Estimate(0.0, 0.1), 1000, 0.5, 0.6
    )
    return Target(PairDistribution(REFERENCE)).evaluation(sample)


RESULTS = {
    "fit": evaluation(1.1),
    "collapsed": Failure(Reason.COLLAPSE, "at step 7"),
    "$x_{$ [/i]": evaluation(1.3),
}


def test_every_result_is_a_row_in_its_order():
    found = rows(RESULTS)
    assert [row.label for row in found] == list(RESULTS)
    assert [row.cost.value if row.cost else None for row in found] == [
        pytest.approx(0.1),
        None,
        pytest.approx(0.3),
    ]
    assert found[1].note == "collapse: at step 7"
    assert found[0].pressure_bar == Estimate(-1e4, 3.0)
    assert found[0].temperature == Estimate(3600.0, 1.0)


def test_levels_are_those_of_sound_results():
    assert levels(RESULTS) == pytest.approx({"fit": 0.1, "$x_{$ [/i]": 0.3})


def test_points_are_numbered_as_they_finished():
    records = [
        {"id": 5, "stage": "design", "status": "ok", "objective": [0.2, 0.01]},
        {"id": 2, "stage": "explore", "status": "failed", "reason": "timeout", "detail": ""},
    ]
    bound = {"level": 0.3, "bound": 0.31}
    records.append(records[0] | {"status": "censored", "objective": [0.4, 0.01], "given_up": bound})
    first, second, third = points(records)
    assert (first.index, first.cost, first.stage) == (1, 0.2, "design")
    assert (second.index, second.cost, second.stage) == (2, None, "explore")
    assert [point.given_up for point in (first, second, third)] == [False, False, True]
    assert points([]) == []


@pytest.mark.parametrize(
    "results",
    [RESULTS, {"collapsed": RESULTS["collapsed"]}, {}],
    ids=["some", "only failures", "none"],
)
def test_a_picture_is_drawn_of_whatever_there_is(tmp_path, results):
    plot_results(REFERENCE, results, tmp_path / "gr.png", r"a $\frac{ title")
    assert (tmp_path / "gr.png").read_bytes().startswith(b"\x89PNG")
