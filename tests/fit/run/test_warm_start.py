"""Samples of an earlier fit in a new one: what is taken over, what is refused, how it goes on."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.cli_fit import begin
from lammpsfit.config import Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.newton.local_model import Fluctuations
from lammpsfit.fit.run.build import build_conditions, build_optimiser, build_space
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.fit.run.warm_start import FIRST, _check_sums, _LeftOutError, hand_on, recall
from lammpsfit.forcefield.coulomb import COULOMB_SUMS
from lammpsfit.md.sample_file import load_sample
from lammpsfit.report.run_page import run_page
from lammpsfit.run_pages import view_run
from lammpsfit.words import WARM

pytestmark = pytest.mark.lammps

RUNS = 4
ANGLES = Path(__file__).parents[3] / "examples" / "silica" / "bond_angles_3600K.csv"


def finish(fit):
    return run_fit(fit, LocalFarm(1), Silent(), lambda: None)


def job_with(job_file, **changes):
    content = read_job(job_file).model_dump()
    content["strategy"] = {"name": "gauss-newton", "quiet": 1000}
    content["limits"] = {"evaluations": RUNS}
    content["confirm"] = {"candidates": 1, "repeats": 1}
    for table, change in changes.items():
        merge = isinstance(change, dict) and table not in ("parameters", "pressure", "splines")
        content[table] = content[table] | change if merge else change
    return Job.model_validate(content)


@pytest.fixture(scope="module")
def old(job_file, structure, tmp_path_factory):
    """The run folder of a short fit of two parameters."""
    path = tmp_path_factory.mktemp("old") / "old"
    create_run(path, job_with(job_file))
    finish(open_fit(*open_run(path)))
    return path


def recalled(path, job):
    conditions = build_conditions(job)
    return recall(path, job, conditions, build_space(job, conditions))


def begun(path, job, old):
    return begin(path, job, [recalled(old, job)])


def warm_records(path, kind="evaluation"):
    return [r for r in read_journal(path / "journal.jsonl").of_type(kind) if r["stage"] == WARM]


def test_other_bounds_a_freed_parameter_and_more_terms_leave_samples_true(old, job_file, tmp_path):
    job = job_with(
        job_file,
        limits={"evaluations": 2},
        splines={"O-O": (1.5, 2.0, 2.5, 3.0, 3.5)},
        parameters={
            "q_Si": {"min": 1.5, "max": 3.0},
            "A_Si-O": {"factor": 1.5},
            "rho_Si-O": {"factor": 1.2},
            "c_O-O": {"min": -1.0, "max": 1.0, "log": False},
        },
        pressure={"value": 0.0},
        coordination=[
            {"centre": "Si", "neighbour": "O", "cutoff": 2.2, "value": 4.0},
        ],
        protocol={"sample": 0.4},
    )
    memory = recalled(old, job)
    assert memory.words == f"{RUNS} of {RUNS} evaluations of {old} are taken over"
    assert all(one.potential is None for one in memory.every)
    fit = begun(tmp_path / "new", job, old)
    before = {r["id"]: r for r in open_fit(*open_run(old)).records}
    warm = warm_records(tmp_path / "new")
    assert [r["id"] for r in warm] == [FIRST + k for k in range(RUNS)]
    for record in warm:
        was = before[int(record["of"].split(", ")[1])]
        for name, value in was["parameters"].items():
            assert record["parameters"][name] == pytest.approx(value, rel=1e-12)
        assert record["parameters"]["c1_O-O"] == 0.0
        assert record["cost"] == pytest.approx(was["cost"], rel=1e-12)  # of the same frames
        assert record["objective"][0] > record["cost"]  # the pressure and the neighbours count
        assert record["atom_steps"] == 0
    result = finish(fit)
    evaluations = read_journal(tmp_path / "new" / "journal.jsonl").of_type("evaluation")
    new = [r for r in evaluations if r["stage"] != WARM]
    assert [r["id"] for r in new] == [0, 1]  # the limit is that of new runs
    assert new[0]["origin"] >= FIRST
    assert result.summary["evaluations"]["taken_over"] == RUNS
    assert result.summary["evaluations"]["ok"] == RUNS + 2
    assert result.summary["uncertainty"]
    # it is resumed, and shown, without the run it was taken from
    again = open_fit(*open_run(tmp_path / "new"))
    assert (again.evaluated, len(again.records)) == (2, RUNS + 2)
    optimiser = build_optimiser(job, again.conditions, again.space)
    hand_on(again, optimiser, pytest.fail)
    np.testing.assert_allclose(optimiser.ask(1)[0].x, new[0]["x"], atol=1e-6)
    view = view_run(tmp_path / "new")
    assert len(view.records) == RUNS + 2
    assert view.state == "finished"
    assert f"{RUNS} more from an earlier run" in run_page(view)


def test_where_a_parameter_is_frozen_samples_are_pooled_beside(old, job_file, tmp_path):
    job = job_with(job_file, parameters={"q_Si": {"factor": 1.2}}, limits={"evaluations": 1})
    memory = recalled(old, job)
    beside = [one for one in memory.every if one.potential is not None]
    assert 1 <= len(beside) < RUNS  # the start has the fixed value
    assert f"{len(beside)} of them with potentials beyond the bounds or fixed" in memory.words
    fit = begun(tmp_path / "new", job, old)
    assert len(fit.beside) == len(beside)
    assert len(fit.records) == RUNS - len(beside)
    again = open_fit(*open_run(tmp_path / "new"))
    assert [r["potential"] for r in again.beside] == [r["potential"] for r in fit.beside]
    finish(again)
    assert len(warm_records(tmp_path / "new", WARM)) == len(beside)


def test_a_run_that_says_its_potential_weighs_as_at_its_point(old):
    fit = open_fit(*open_run(old))
    linearise = Fluctuations(fit.space, fit.problem.target, 3600.0)
    points = [np.array(record["x"]) for record in fit.records[:2]]
    samples = [load_sample(fit.folder.sample(f"{k:06d}")) for k in (0, 1)]
    here = linearise(list(zip(points, samples, strict=True)), points[0])
    elsewhere = replace(samples[1], made_with=fit.space.potential(points[1]))
    there = linearise([(points[0], samples[0]), (np.zeros(2), elsewhere)], points[0])
    np.testing.assert_allclose(there.response.mean, here.response.mean, atol=1e-10)
    np.testing.assert_allclose(there.response.jacobian, here.response.jacobian, atol=1e-10)
    wrong = linearise([(points[0], samples[0]), (np.zeros(2), samples[1])], points[0])
    assert np.abs(wrong.response.mean - here.response.mean).max() > 1e-6


def test_a_sample_that_is_gone_is_left_out(old, job_file, tmp_path):
    path = tmp_path / "copy"
    shutil.copytree(old, path)
    (path / "samples" / "000001.npz").unlink()
    (path / "samples" / "000002.npz").write_bytes(b"torn")
    words = recalled(path, job_with(job_file)).words
    assert words.startswith(f"{RUNS - 2} of {RUNS} evaluations")
    assert words.endswith("left out: their samples are gone or damaged (2)")


def test_energies_that_frames_do_not_tell_leave_samples_out(old):
    fit = open_fit(*open_run(old))
    sample = load_sample(fit.folder.sample("000000"))
    pairwise = fit.problem.potential
    periodic, coarser = (
        replace(pairwise, coulomb=COULOMB_SUMS["pppm"](8.0, accuracy)) for accuracy in (1e-5, 1e-3)
    )
    energies = replace(sample.frames, coulomb=np.ones(len(sample.frames)))
    _check_sums(pairwise, pairwise, sample)
    _check_sums(periodic, periodic, replace(sample, frames=energies))
    with pytest.raises(_LeftOutError, match="no Coulomb energies"):
        _check_sums(periodic, periodic, sample)
    for one, other in ((pairwise, periodic), (periodic, pairwise), (periodic, coarser)):
        with pytest.raises(_LeftOutError, match="another Coulomb sum"):
            _check_sums(one, other, replace(sample, frames=energies))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": {"temperature": 3000.0}}, "temperature of its runs must be that of the job"),
        ({"system": {"atoms": 600}}, r"atoms of its runs must be that of the job \(600\), got 306"),
        ({"system": {"density": 2.3}}, "density of its runs must be that of the job"),
        ({"protocol": {"timestep_fs": 2.0}}, "timestep_fs of its runs must be that of the job"),
        ({"strategy": {"name": "paper"}}, "is for strategy.name = 'gauss-newton', got 'paper'"),
        (
            {
                "angle_distribution": [
                    {"angle": "O-Si-O", "whose": "aimd", "file": ANGLES, "cutoffs": {"Si-O": 2.2}}
                ]
            },
            "none of its evaluations can be taken over: .* was not taken of their positions .4.",
        ),
        (
            {"also": [{"name": "cooler", "protocol": {"temperature": 2500.0}}]},
            "under all conditions of the job, but none was named cooler",
        ),
    ],
)
def test_a_run_of_something_else_is_refused_in_a_line(old, job_file, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        recalled(old, job_with(job_file, **changes))
    assert "\n" not in str(caught.value)


def test_a_run_that_was_changed_is_refused(old, job_file, tmp_path):
    path = tmp_path / "copy"
    shutil.copytree(old, path)
    (path / "inputs" / "reference.csv").write_text("r_A,g_Si-O\n", "utf-8")
    with pytest.raises(InputError, match="was changed or removed since the run began"):
        recalled(path, job_with(job_file))
    with pytest.raises(InputError, match="no such run folder"):
        recalled(tmp_path / "none", job_with(job_file))


def test_on_the_command_line(old, job_text, lammpsfit, tmp_path):
    job = tmp_path / "job.toml"
    strategy = '[strategy]\nname = "gauss-newton"\n\n[limits]\nevaluations = 1\n\n[confirm]'
    text = f"{job_text[: job_text.index('[strategy]')]}{strategy}\ncandidates = 1\nrepeats = 1\n"
    job.write_text(text, "utf-8")
    done = lammpsfit("fit", job, "-o", tmp_path / "new", "--warm", old, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"{RUNS} of {RUNS} evaluations of" in " ".join(done.stdout.split())
    assert not (tmp_path / "new").exists()
    wrong = lammpsfit("fit", job, "-o", tmp_path / "other", "--warm", tmp_path / "none")
    assert wrong.returncode == 2
    assert wrong.stderr.strip().count("\n") == 0
    assert "no such run folder" in wrong.stderr
