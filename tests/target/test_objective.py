"""What is minimised: decided in one place, and the same everywhere."""

import json
import math
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from lammpsfit.config import Job, read_job
from lammpsfit.farm.journal import JournalWriter
from lammpsfit.fit.base import Ask
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.records import evaluation_record, result_fields
from lammpsfit.fit.run.result import best_confirmed, finished, unfinished
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.md.sample import Sample
from lammpsfit.md.sample_file import save_sample
from lammpsfit.report.progress import ProgressMonitor, minimised_of, objective_of
from lammpsfit.report.results import levels, points, results_json, rows
from lammpsfit.report.run_page import run_page
from lammpsfit.report.tables import print_costs
from lammpsfit.run_pages import view_run
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import together

NEAR_IN_R = (0.04, 40_000.0)
"""Distance from the reference and pressure in bar of the point that is better in R."""

NEAR_IN_ALL = (0.06, 1_000.0)
"""And of the one that is better in the objective: 5000 bar count as much as R = 1 %."""


def sample_of(problem, distance, pressure):
    """A sample this far from the reference in every pair, with this pressure."""
    rng = np.random.default_rng(1)
    reference = problem.target.reference
    g = reference.g * (1 + distance)
    blocks = g + 1e-3 * rng.standard_normal((8, *g.shape))
    P = pressure + 100.0 * rng.standard_normal((8, 1))
    return Sample(
        rdf=PartialRdf.from_blocks(reference.pairs, reference.r, blocks),
        temperature=Estimate(3600.0, 5.0),
        pressure=Estimate(float(P.mean()), 35.0),
        energy=Estimate(-20.0, 0.01),
        energy_drift=Estimate(0.0, 0.01),
        atom_steps=1000,
        md_seconds=0.1,
        wall_seconds=0.1,
        observed={"pressure": P, "coordination Si-O 2.2": np.full((8, 1), 4.0)},
    )


@pytest.fixture
def fit(tmp_path, job_file):
    """A run with two points, one better in R and one in the objective."""
    content = read_job(job_file).model_dump()
    content["pressure"] = {"value": 0.0}
    content["coordination"] = [{"centre": "Si", "neighbour": "O", "cutoff": 2.2, "value": 4.02}]
    content["confirm"] |= {"compare": ()}
    folder = create_run(tmp_path / "run", Job.model_validate(content))
    opened = open_fit(*open_run(folder.path))
    with JournalWriter(folder.journal) as journal:
        for k, point in enumerate((NEAR_IN_R, NEAR_IN_ALL)):
            sample = sample_of(opened.problem, *point)
            save_sample(folder.sample(f"{k:06d}"), sample)
            result = opened.problem.target.evaluation(sample)
            ask = Ask(k, np.array([0.4, 0.4 + 0.1 * k]), "design")
            head = evaluation_record(ask, opened.space.values(ask.x), k, result, 1.0)
            journal.append(head | {"wall": 1.0})
    return open_fit(*open_run(folder.path))


def results(fit):
    """The evaluations of both points, by the label of a candidate."""
    return {
        f"fit-{k}": fit.problem.target.evaluation(sample_of(fit.problem, *point))
        for k, point in enumerate((NEAR_IN_R, NEAR_IN_ALL))
    }


def test_the_objective_is_the_root_of_all_squares(fit):
    for one in results(fit).values():
        P, n = one.terms["pressure"], one.terms["coordination Si-O 2.2"]
        assert P.deviation.mean == pytest.approx(0.01 / 5000 * abs(P.value.mean))
        assert n.deviation.mean == pytest.approx(0.01)
        squares = [one.cost.value**2, P.deviation.mean**2, n.deviation.mean**2]
        assert one.objective.mean == pytest.approx(math.sqrt(sum(squares)))
        shares = [term.share for term in one.terms.values()]
        assert shares == pytest.approx([square / sum(squares) for square in squares])


def test_its_error_is_that_of_independent_runs(fit):
    """The jackknife against the scatter of runs drawn anew."""
    target, base = fit.problem.target, sample_of(fit.problem, *NEAR_IN_R)
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        P = 40_000.0 + 2000.0 * rng.standard_normal((8, 1))
        found.append(target.evaluation(replace(base, observed=base.observed | {"pressure": P})))
    scatter = np.std([one.objective.mean for one in found])
    claimed = np.mean([one.objective.error for one in found])
    assert claimed == pytest.approx(scatter, rel=0.15)


def test_best_is_best_in_the_objective_everywhere(fit, tmp_path):
    near_in_r, near_in_all = results(fit).values()
    assert near_in_r.cost.value < near_in_all.cost.value
    assert near_in_r.objective.mean > near_in_all.objective.mean
    best = near_in_all.objective.mean

    assert fit.best_so_far()["id"] == 1
    assert best_confirmed(list(results(fit)), results(fit)) == "fit-1"
    stopped = unfinished(fit, "walltime").summary["best"]
    assert (stopped["evaluation"], stopped["minimised"]) == (1, "objective")
    assert stopped["objective"] == pytest.approx(best)
    assert set(stopped["terms"]) == {"g(r)", "pressure", "coordination Si-O 2.2"}

    candidates = {label: fit.potential(fit.records[k]) for k, label in enumerate(results(fit))}
    finished(fit, candidates, results(fit))
    written = json.loads(fit.folder.result.read_text())["best"]
    assert (written["evaluation"], written["minimised"]) == (1, "objective")
    assert written["objective"] == pytest.approx(best)
    assert written["terms"]["pressure"]["wanted"] == 0.0

    view = view_run(fit.folder.path)
    assert (view.points.what, view.best.total[0]) == ("objective", pytest.approx(best))
    page = run_page(view)
    assert "objective of the fit" in page or "lowest objective so far" in page
    assert "P (GPa)" in page
    assert "n Si-O &lt; 2.2 Å" in page


def test_the_terminal_names_what_it_minimises(fit):
    console = Console(width=200, record=True, force_terminal=False, file=StringIO())
    monitor = ProgressMonitor(console)
    monitor.begin("search", 2, 0)
    for record in fit.records:
        monitor.finished(record)
    monitor.end()
    print_costs(rows(results(fit)), console)
    text = console.export_text()
    best = min(one.objective.mean for one in results(fit).values())
    assert f"best {100 * best:.2f} %" in text
    assert "objective = " in text
    assert "R = 4.0" not in text
    wanted = next(line for line in text.splitlines() if line.startswith("wanted"))
    assert wanted.split()[1:] == ["0.00", "4.020"]
    assert "P: a deviation of 0.5 GPa counts as much as R = 1 %" in text


def test_records_and_results_tell_the_same_objective(fit):
    for record, (label, one) in zip(fit.records, results(fit).items(), strict=True):
        assert objective_of(record)[0] == pytest.approx(one.objective.mean)
        assert minimised_of(record) == one.minimised == "objective"
        assert levels({label: one}) == {label: one.objective.mean}
        data = results_json({label: one})[label]
        assert (data["objective"], data["minimised"]) == (one.objective.mean, "objective")
        assert data["terms"]["coordination Si-O 2.2"]["wanted"] == 4.02
    assert [point.cost for point in points(fit.records)] == pytest.approx(
        [one.objective.mean for one in results(fit).values()]
    )


def test_r_alone_is_called_r(problem):
    sample = sample_of(problem, *NEAR_IN_R)
    one = problem.target.evaluation(sample)
    assert one.objective == Estimate(one.cost.value, one.cost.error)
    assert one.minimised == minimised_of(result_fields(one)) == "R"
    assert one.terms["g(r)"].share == 1.0
    both = together({"main": one, "cold": one}, {"main": 1.0, "cold": 1.0})
    assert both.minimised == minimised_of(result_fields(both)) == "objective"
