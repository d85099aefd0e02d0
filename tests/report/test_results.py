from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.md.sample import Sample
from lammpsfit.report.density import densities, plot_densities
from lammpsfit.report.results import levels, plot_results, points, results_json, rows
from lammpsfit.report.run_view import Condition, Shown
from lammpsfit.report.tables import cost_table
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


def settling(drift):
    """A result at constant pressure whose density changes by so much, ± 0.01 g/cm³."""
    one = evaluation(1.1)
    density = 2.2 + drift * (np.arange(8) + 0.5) / 8
    sample = replace(one.sample, density=density, density_drift=Estimate(drift, 0.01))
    return replace(one, sample=sample)


def test_a_density_that_drifts_is_told_in_a_line():
    found = rows({"drifts": settling(-0.08), "settled": settling(0.02), "constant": RESULTS["fit"]})
    assert [row.note for row in found] == [
        "the density still drifts, by -0.080 ± 0.010 g/cm³ over the run: relax longer",
        "",
        "",
    ]
    heads = [str(column.header) for column in cost_table(found).columns]
    assert heads[-1] == "density\ng/cm³"
    data = results_json({"settled": settling(0.02), "constant": RESULTS["fit"]})
    assert data["settled"]["density"]["mean"] == pytest.approx(2.21)
    assert "density" not in data["constant"]


def test_the_page_draws_the_mean_density_of_the_runs():
    free = Condition("main", True, "", (), (), REFERENCE, "", ())
    two = np.repeat(np.linspace(2.2, 2.3, 8), 2) + np.tile([-0.01, 0.01], 8)
    shown = Shown("fit", {}, 2, True, densities={"main": two})
    view = SimpleNamespace(conditions=[free], shown=[shown])
    section = str(densities(view))
    assert "fit 2.200 at the beginning, 2.300 at the end" in section
    assert (
        densities(SimpleNamespace(conditions=[free], shown=[replace(shown, densities={})])) is None
    )
    figure = plot_densities({"fit": two}, 2.2)
    assert {text.get_text() for text in figure.legends[0].texts} == {"fit", "wanted"}
