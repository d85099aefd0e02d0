"""Splines in a job: added to a potential, freed, fitted, and drawn with their errors."""

import json

import numpy as np
import pytest

from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.certainty.curves import curve_errors
from lammpsfit.fit.run.build import build_conditions, build_space
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.forcefield import load_potential
from lammpsfit.report.run_page import run_page
from lammpsfit.run_pages import view_run

KNOTS = "[1.4, 1.6, 1.8, 2.2, 3.0]"
FREE = "{ min = -1.0, max = 1.0, log = false }"


@pytest.fixture
def job_of(job_text, tmp_path):
    """Make the job of the tests with splines and other parameters."""

    def make(splines=f'"O-Si" = {KNOTS}', parameters=f'"c_Si-O" = {FREE}', more=""):
        head, _, tail = job_text.partition("[parameters]")
        _, _, end = tail.partition("[confirm]")
        text = (
            f"{head}[splines]\n{splines}\n\n[parameters]\n{parameters}\n\n"
            f"{more}[confirm]{end.replace('compare', '#')}"
        )
        path = tmp_path / "job.toml"
        path.write_text(text, encoding="utf-8")
        return read_job(path)

    return make


def space_of(job):
    return build_space(job, build_conditions(job))


def test_splines_are_added_as_zeros_and_freed_together(job_of):
    space = space_of(job_of())
    assert space.names == ("c1_Si-O", "c2_Si-O", "c3_Si-O", "c4_Si-O")
    bks, r = load_potential("BKS"), np.linspace(0.5, 7.9, 50)
    for pair in bks.pair_names:
        np.testing.assert_array_equal(space.base.energy(pair, r), bks.energy(pair, r))
    # the start structure is the same, and is melted once for both
    assert build_conditions(job_of()).main.melt_potential == bks
    bent = space.potential([0.5, 0.5, 0.75, 0.5])
    assert bent.parameters["c3_Si-O"] == 0.5
    assert bent.energy("Si-O", [1.7])[0] > bks.energy("Si-O", [1.7])[0]


def test_a_coefficient_may_have_an_entry_of_its_own(job_of):
    own = '"c2_O-Si" = { min = -3.0, max = 3.0, log = false }\n"c4_Si-O" = { tied_to = "c2_Si-O" }'
    space = space_of(job_of(parameters=f'"c_Si-O" = {FREE}\n{own}'))
    assert {free.name: free.upper for free in space.free} == {
        "c1_Si-O": 1.0,
        "c2_Si-O": 3.0,
        "c3_Si-O": 1.0,
    }
    assert [tie.name for tie in space.ties] == ["c4_Si-O"]


@pytest.mark.parametrize(
    ("splines", "parameters", "message"),
    [
        ('"Si-N" = [1.0, 2.0, 3.0]', None, r"\[splines\]: unknown species 'N'"),
        ('"SiO" = [1.0, 2.0, 3.0]', None, r"\[splines\]: a pair must be two species"),
        ('"Si-O" = [1.0, 2.0]', None, r"\[splines\]: spline of pair Si-O: there must be 3 to"),
        ('"Si-O" = [1.0, 2.0, 9.0]', None, "Si-O: the last knot must be within the cutoff .8 Å.,"),
        ('"Si-O" = [3, 2, 4]\n', None, "knots must rise by 0.02 Å or more, got 2.0 after 3.0"),
        (
            f'"Si-O" = {KNOTS}\n"O-Si" = {KNOTS}',
            None,
            "pair Si-O of BKS has a spline already: leave O-Si out",
        ),
        ('"Si-O" = 3', None, "splines.Si-O: input should be a valid tuple, got 3"),
        ('"Si-O" = ["a"]', None, "splines.Si-O.0: input should be a valid number"),
        (None, '"c_O-O" = { factor = 2.0 }', r"\[parameters\]: no parameter 'c_O-O'"),
        (None, '"c_Si-O" = { factor = 2.0 }', "c1_Si-O is 0 at the start, so a factor gives no"),
        (None, '"c_Si-O" = { min = -1, max = 1 }', "bounds of c1_Si-O must be positive on a log"),
        (None, '"c_Si-O" = { tied_to = "q_Si" }', "c_Si-O stands for 4 coefficients: tie them"),
        (None, f'"c9_Si-O" = {FREE}', "no parameter 'c9_Si-O': did you mean"),
    ],
)
def test_what_is_wrong_is_refused_in_a_line(job_of, splines, parameters, message):
    given = {"splines": splines, "parameters": parameters}
    with pytest.raises(InputError, match=message) as caught:
        space_of(job_of(**{key: text for key, text in given.items() if text is not None}))
    assert "\n" not in str(caught.value)


@pytest.mark.lammps
def test_a_fit_of_a_spline_draws_its_curve_with_errors(job_of, structure, tmp_path):
    job = job_of(more="[limits]\nevaluations = 3\n\n")
    strategy = job.strategy.model_copy(update={"name": "gauss-newton"})
    job = job.model_copy(update={"strategy": strategy})
    run = tmp_path / "run"
    create_run(run, job)
    result = run_fit(open_fit(*open_run(run)), LocalFarm(1), Silent(), lambda: None)
    assert set(result.summary["best"]["parameters"]) == {f"c{k}_Si-O" for k in (1, 2, 3, 4)}
    assert load_potential(str(run / "potential.toml")).parameters["c3_Si-O"] != 0
    assert not view_run(run).curve_errors  # a run so short resolves nothing
    content = json.loads((run / "result.json").read_text("utf-8"))
    content["uncertainty"]["covariance"] = (1e-4 * np.eye(4)).tolist()
    (run / "result.json").write_text(json.dumps(content), "utf-8")
    view = view_run(run)
    r, error = view.curve_errors["Si-O"]
    assert 1.2 < r[0] < 1.6
    assert error[(r > 1.6) & (r < 2.0)].all()
    assert not error[r >= 3.0].any()
    assert view.curve_errors.keys() == {"Si-O"}  # no other curve is free
    assert "Bands are standard errors of U(r)" in run_page(view)


def test_errors_of_a_curve_are_those_of_curves_of_drawn_parameters(job_of):
    space = space_of(job_of(parameters=f'"q_Si" = {{ factor = 1.5 }}\n"c_Si-O" = {FREE}'))
    rng = np.random.default_rng(1)
    root = 1e-3 * rng.standard_normal((5, 5))
    names = space.names
    block = {
        "relative": {name: name == "q_Si" for name in names},
        "covariance": (root @ root.T).tolist(),
    }
    u, r = np.full(5, 0.5), np.linspace(1.5, 5.0, 20)
    scale = np.array([np.log(1.5**2), 1.0, 1.0, 1.0, 1.0])  # of ln θ, and of θ over its range
    drawn = u + (root @ rng.standard_normal((5, 1000))).T / scale
    for pair in ("Si-O", "O-O"):
        spread = np.std([space.potential(x).energy(pair, r) for x in drawn], axis=0)
        error = curve_errors(space, u, block, pair, r)
        np.testing.assert_allclose(error, spread, rtol=0.12)
