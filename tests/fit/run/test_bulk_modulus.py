"""A fit with LAMMPS to g(r) and to a bulk modulus between two pressures."""

import json
import math
import tomllib

import numpy as np
import pytest

from lammpsfit.fit.certainty.nonlinear import NonlinearModel
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.run.ensemble import _bend, _known, _residual_errors
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.run_folder import open_run
from lammpsfit.units import BOLTZMANN_CONSTANT

MORE = """
[[also]]
name = "squeezed"
reference = false
protocol = { pressure = 20000.0 }

[[bulk_modulus]]
conditions = ["main", "squeezed"]
value_gpa = 20.0
per_percent_gpa = 2.0
"""
NAME = "bulk modulus main-squeezed"


@pytest.fixture(scope="module")
def fitted(job_file, structure, lammpsfit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("modulus")
    text = job_file.read_text("utf-8").replace('name = "paper"', 'name = "gauss-newton"')
    text = text.replace("[protocol]", '[protocol]\nensemble = "npt"')
    text = text.replace("[confirm]", "[limits]\nevaluations = 2\n\n[confirm]")
    text = text.replace("repeats = 2", "repeats = 1")
    (folder / "job.toml").write_text(text + MORE, "utf-8")
    done = lammpsfit("fit", "job.toml", "-o", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


@pytest.mark.lammps
def test_journal_table_result_and_page_tell_of_it(fitted):
    path, printed = fitted
    fit = open_fit(*open_run(path))
    assert fit.notes == []
    for record in fit.records:
        found = record["terms"][NAME]
        densities = [one["density"][0] for one in (record, record["also"]["squeezed"])]
        modulus = 2e4 / math.log(densities[1] / densities[0])
        assert found["value"][0] == pytest.approx(modulus, rel=1e-9)
        y = 0.01 / 2e4 * 2e5 * (1 - 2e5 / modulus)
        assert found["deviation"][0] == pytest.approx(abs(y))
        assert record["also"]["squeezed"]["terms"] == {}
        assert record["objective"][0] ** 2 == pytest.approx(record["cost"] ** 2 + y**2)
        assert found["share"] == pytest.approx((y / record["objective"][0]) ** 2)
    assert "K main-squeezed" in printed
    assert "20.0" in next(line for line in printed.splitlines() if line.startswith("wanted"))
    assert "failed" not in printed
    best = json.loads((path / "result.json").read_text())["best"]
    assert set(best["terms"]) == {"g(r)", NAME}
    assert best["also"]["squeezed"]["terms"] == {}
    note = tomllib.loads((path / "potential.toml").read_text("utf-8"))["note"]
    value, error = (x / 1e4 for x in best["terms"][NAME]["value"])
    assert f"; K main-squeezed = {value:.2f} ± {error:.2f} GPa; R = sqrt" in note
    assert "squeezed: " not in note  # nothing is wanted of it alone
    page = (path / "report.html").read_text("utf-8")
    assert "K main-squeezed (GPa)" in page
    fitted_to = page[page.index("fitted to:") :]
    assert "K main-squeezed" in fitted_to[: fitted_to.index("Each evaluation")]
    assert "bulk modulus between these conditions" in page


@pytest.mark.lammps
def test_its_derivative_is_that_of_the_frames_weighted_anew(fitted):
    path, _ = fitted
    fit = open_fit(*open_run(path))
    ask, outcome = fit.told(fit.records[0])
    (term,) = fit.conditions.joint
    response = fit.conditions.linearise(fit.space)([(ask.x, outcome.run)], ask.x).response

    def residual(u):
        x = []
        for name in term.conditions:
            frames = outcome.run[name].frames
            U = frames.energies([fit.space.potential(one) for one in (ask.x, u)])
            beta = 1.0 / (BOLTZMANN_CONSTANT * 3600.0)
            w = np.exp(-beta * (U[:, 1] - U[:, 0]))
            x.append(np.average(term.watched(name).observe(frames)[:, 0], weights=w))
        return float(term.residual(np.array(x)))

    assert response.mean[-1] == pytest.approx(residual(ask.x))
    for k in range(fit.space.dim):
        step = 1e-5 * np.eye(fit.space.dim)[k]
        slope = (residual(ask.x + step) - residual(ask.x - step)) / 2e-5
        assert response.jacobian[-1, k] == pytest.approx(slope, rel=1e-4)


@pytest.mark.lammps
def test_it_has_a_row_in_the_uncertainty_and_in_potentials_as_good(fitted):
    path, _ = fitted
    fit = open_fit(*open_run(path))
    known = _known(fit, 0)
    K = known.response.mean.size
    errors = _residual_errors(fit)
    assert errors is None or (errors.shape == (K,) and errors[-1] == 0.0)
    bends = [
        (share, _bend(fit, known, one))
        for share, one in zip((1, 0), fit.conditions.every, strict=True)
    ]
    domain = Domain(fit.space.dim, None)
    valley = NonlinearModel(known.found, known.response, bends, domain)
    bend, distance = valley._bend(np.clip(known.found.x + 1e-3, 0, 1))
    assert bend.shape == (K,)
    assert bend[-1] == 0.0  # of two conditions the linear model is kept
    assert np.any(bend[:-1])
    assert distance > 0
