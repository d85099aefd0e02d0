"""Fits to other things than all partial g(r): some pairs, or none."""

import json
from pathlib import Path

import pytest

from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.build import build_conditions
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.target.objective import minimised

CURVES = Path(__file__).parents[2] / "target" / "curves"
SCATTERING = f'[[total_scattering]]\nradiation = "neutron"\nfile = "{CURVES / "sq.csv"}"\n'


def without_reference(text):
    lines = text.splitlines()
    kept = [line for line in lines if line != "[reference]" and not line.startswith("file = ")]
    return "\n".join(kept) + "\n"


def job_of(tmp_path, text, name="job.toml"):
    (tmp_path / name).write_text(text, "utf-8")
    return read_job(tmp_path / name)


def test_a_job_without_a_reference_is_one(job_text, tmp_path):
    job = job_of(tmp_path, without_reference(job_text) + SCATTERING)
    conditions = build_conditions(job)
    target = conditions.main.target
    assert target.structure is None
    assert [term.name for term in target.terms] == ["S(q) neutron"]
    assert conditions.minimised == "objective"
    assert conditions.structureless == pytest.approx(1.0)  # |1 - w| / |w - 1|
    assert target.r[[0, -1]] == pytest.approx([0.01, 7.99])
    run = create_run(tmp_path / "run", job)
    assert open_run(run.path)[1].reference is None


def test_a_job_must_want_something(job_text, tmp_path):
    with pytest.raises(
        InputError, match=r"a job must want something of its runs: add \[reference\]"
    ):
        build_conditions(job_of(tmp_path, without_reference(job_text)))


def test_a_race_needs_g_of_r(job_text, tmp_path):
    text = without_reference(job_text) + SCATTERING
    text = text.replace('name = "paper"', 'name = "paper"\nrace = 1.5')
    with pytest.raises(InputError, match=r"race must be 0 without \[reference\]"):
        build_conditions(job_of(tmp_path, text))


def test_some_pairs_may_be_all_that_is_wanted(job_text, tmp_path):
    text = job_text.replace("[reference]", '[reference]\npairs = ["O-Si"]')
    target = build_conditions(job_of(tmp_path, text)).main.target
    assert [*target.reference.pairs] == ["Si-O"]  # as the table spells it
    assert minimised([None], [term.name for term in target.terms]) == "R"
    text = job_text.replace("[reference]", '[reference]\npairs = ["Si-Na"]')
    with pytest.raises(InputError, match=r"pairs must be some of Si-Si, Si-O, O-O, got 'Si-Na'"):
        build_conditions(job_of(tmp_path, text))
    text = job_text.replace("[reference]", "[reference]\npairs = []")
    with pytest.raises(InputError, match=r"pairs must be some of .*, got none"):
        build_conditions(job_of(tmp_path, text))


def test_a_condition_may_do_without_the_reference_of_the_job(job_text, tmp_path):
    text = job_text.replace('name = "paper"', 'name = "auto"')
    text += '[[also]]\nname = "dense"\nreference = false\nsystem = { density = 2.4 }\n'
    job = job_of(tmp_path, text + "[also.pressure]\nvalue = 0.0\n")
    main, dense = build_conditions(job).every
    assert main.problem.target.structure is not None
    assert [term.name for term in dense.problem.target.terms] == ["pressure"]
    again = open_run(create_run(tmp_path / "run", job).path)[1]
    assert again.also[0].reference is None
    assert again.reference is not None


@pytest.mark.lammps
def test_a_fit_without_g_of_r_never_speaks_of_R(job_text, lammpsfit, structure, tmp_path):
    text = without_reference(job_text).replace('name = "paper"', 'name = "auto"')
    text = text.replace("[confirm]", "[limits]\nevaluations = 2\n\n[confirm]")
    text = text.replace("repeats = 2", "repeats = 1")
    (tmp_path / "job.toml").write_text(text + SCATTERING + "[pressure]\nvalue = 0.0\n", "utf-8")
    done = lammpsfit("fit", "job.toml", "-o", "run", "--workers", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    heads = [line for line in done.stdout.splitlines() if line.startswith("potential")]
    assert "R_c" not in done.stdout
    assert not any("R" in line.split() for line in heads)
    assert "S(q) neutron: |S - wanted| / |wanted - 1|" in done.stdout
    best = json.loads((tmp_path / "run" / "result.json").read_text())["best"]
    assert best["minimised"] == "objective"
    assert "cost" not in best
    assert set(best["terms"]) == {"S(q) neutron", "pressure"}
    assert best["objective"] ** 2 == pytest.approx(
        sum(one["deviation"][0] ** 2 for one in best["terms"].values())
    )
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Pair distributions" not in page
    assert "S(q), neutrons" in page
    assert (tmp_path / "run" / "terms.png").exists()
    assert not (tmp_path / "run" / "gr.png").exists()
