"""Pages of run folders whose evaluations are made up: their journals and samples are real."""

import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.cli import main
from lammpsfit.cli_fit import write_report
from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import JournalWriter
from lammpsfit.fit.base import Ask
from lammpsfit.fit.run.confirm import Repeat
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.records import evaluation_record, result_fields
from lammpsfit.fit.run.result import finished, unfinished
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.md.sample import Sample
from lammpsfit.report.tables import output_console
from lammpsfit.run_pages import view_run, write_comparison, write_page
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf

SECTIONS = [
    "Potential",
    "Distance from the reference",
    "Pair distributions",
    "Course of the search",
    "Pair potentials",
    "Uncertainty",
    "Search space",
    "How to use it",
]
HOSTILE = "<script>alert('$1 & \"2\"')</script>"
STAGES = ("start", *["design"] * 6, *["explore"] * 4, *["refine"] * 2)
BEST = 11


def made_up(fit, distance, seed):
    """An evaluation whose g(r) is the reference's but for a factor and noise, everywhere alike."""
    target = fit.problem.target
    rng = np.random.default_rng(seed)
    g = target.reference.g * (1.0 + distance)
    blocks = g + 0.02 * rng.standard_normal((8, *g.shape))
    sample = Sample(
        PartialRdf.from_blocks(target.reference.pairs, target.reference.r, np.abs(blocks)),
        temperature=Estimate(3600.0, 5.0),
        pressure=Estimate(-2e4, 500.0),
        energy=Estimate(-12.0, 0.001),
        energy_drift=Estimate(0.0, 0.001),
        atom_steps=100_000,
        md_seconds=1.0,
        wall_seconds=1.1,
    )
    return fit.conditions.evaluation(dict.fromkeys(fit.conditions.names, sample))


def search(fit, journal, stages, failed):
    """Record made-up evaluations of a search, some of them failed."""
    rng = np.random.default_rng(1)
    start = fit.space.unit(fit.problem.potential)
    for number, stage in enumerate(stages):
        x = start if number == 0 else np.clip(start + 0.2 * rng.standard_normal(start.size), 0, 1)
        if number == BEST:
            x = np.array([0.4, 1.0])
        origin = number - 1 if stage.startswith("descent") and number else None
        result = made_up(fit, 0.1 + float(np.sum((x - [0.4, 1.0]) ** 2)), number)
        if number in failed:
            result = Failure(Reason.LOST_ATOMS, HOSTILE)
        else:
            fit.save(f"{number:06d}", result)
        ask = Ask(number, x, stage, origin=origin)
        record = evaluation_record(ask, fit.space.values(x), 7, result, 1.0)
        journal.append(record | {"wall": 10.0 * number})


def confirm(fit, journal):
    """Record made-up confirmations of the best and of what it is compared with."""
    pooled = {}
    for label, distance in ((f"fit-{BEST}", 0.1), ("CHIK", 0.2)):
        for number in range(2):
            pooled[label] = made_up(fit, distance, number)
            fit.save(Repeat(label, number).name, pooled[label])
            record = {"type": "confirmation", "label": label, "repeat": number, "seconds": 1.0}
            journal.append(record | {"wall": 200.0} | result_fields(pooled[label]))
    return pooled


@pytest.fixture(scope="module")
def make_run(tmp_path_factory, job_file):
    """Make a run folder: of a strategy, in a state, with a title."""

    def make(strategy, state, title="small & quick", more=""):
        folder = tmp_path_factory.mktemp("pages")
        text = job_file.read_text().replace('title = "small"', f"title = {json.dumps(title)}")
        text = text.replace('name = "paper"', f'name = "{strategy}"')
        (folder / "job.toml").write_text(text + more)
        run = create_run(folder / "run", read_job(folder / "job.toml")).path
        if state == "empty":
            return run
        stages = STAGES if strategy == "paper" else ["descent"] * 8 + ["descent 2", "descent"] * 2
        fit = open_fit(*open_run(run))
        with JournalWriter(run / "journal.jsonl") as journal:
            search(fit, journal, stages, range(20) if state == "failed" else (2, 4))
            pooled = confirm(fit, journal) if state == "finished" else {}
        fit = open_fit(*open_run(run))
        if state == "finished":
            best = next(record for record in fit.records if record["id"] == BEST)
            finished(fit, {f"fit-{BEST}": fit.potential(best)}, pooled)
        elif state == "stopped":
            unfinished(fit, "walltime")
        return run

    return make


@pytest.fixture(scope="module")
def finished_paper(make_run):
    return make_run("paper", "finished")


@pytest.fixture
def copy_of(tmp_path):
    def copy(run):
        return shutil.copytree(run, tmp_path / "copy")

    return copy


def page_of(run, read_page):
    write_page(run, run / "report.html")
    return read_page((run / "report.html").read_text("utf-8"))


def test_a_finished_run_of_the_paper_strategy(finished_paper, read_page):
    page = page_of(finished_paper, read_page)
    assert page.sections == SECTIONS
    assert page.headings[0] == ("h1", "small & quick")
    best = json.loads((finished_paper / "result.json").read_text())["best"]
    assert f"{100 * best['cost']:.2f}" in page.words
    assert "confirmed with 2 fresh runs" in page.words
    assert "nearer to the reference than CHIK" in page.words
    assert "A_Si-O . The best may be outside" not in page.words
    assert "at its upper bound" in page.words
    assert "lost atoms 2 2" in page.words
    assert page.words.count(HOSTILE) == 1
    assert sum(alt.startswith("g(r) of") for alt in page.pictures) == 3
    assert sum(alt.startswith("U(r) of") for alt in page.pictures) == 3
    assert sum(alt.startswith("R predicted along") for alt in page.pictures) == 2
    assert sum(alt.startswith("R predicted over") for alt in page.pictures) == 1
    assert "barrier" in page.words
    assert (finished_paper / "job.toml").read_text().split()[-1] in page.words


def test_a_stopped_run_by_derivatives_with_a_hostile_title(make_run, read_page):
    run = make_run("gauss-newton", "stopped", HOSTILE)
    page = page_of(run, read_page)
    assert page.headings[0] == ("h1", HOSTILE)
    assert page.sections == SECTIONS
    assert f"lammpsfit resume {run}" in page.words
    assert "(walltime)" in page.words
    assert "lowest R so far" in page.words
    assert "Not run yet: CHIK" in page.words
    assert "pair_style hybrid/overlay buck" in page.words
    assert "descent 2 2 2 0 0" in page.words
    assert any(alt.startswith("Path of 12 steps") for alt in page.pictures)


def test_a_run_that_is_going_on(make_run, read_page):
    page = page_of(make_run("gauss-newton", "open"), read_page)
    assert page.sections == SECTIONS
    assert "not finished" in page.words


def test_a_run_under_several_conditions(make_run, read_page):
    cold = '[[also]]\nname = "cold"\nprotocol = { temperature = 2400.0 }\n'
    page = page_of(make_run("gauss-newton", "finished", more=cold), read_page)
    assert "over all conditions" in page.words
    assert [words.split(":")[0] for name, words in page.headings if name == "h3"] == [
        "For LAMMPS",
        "main",
        "cold",
    ]
    assert sum(alt.startswith("g(r) of") for alt in page.pictures) == 6
    assert "2400 K" in page.words


def test_a_run_that_has_just_begun(make_run, read_page):
    page = page_of(make_run("paper", "empty"), read_page)
    assert page.sections == SECTIONS
    assert "No evaluation is finished yet" in page.words


def test_a_run_in_which_all_failed(make_run, read_page):
    page = page_of(make_run("gauss-newton", "failed"), read_page)
    assert page.sections == SECTIONS
    assert "lost atoms 12 0" in page.words
    assert "No evaluation has given a cost yet" in page.words


def test_lost_samples_do_not_break_it(finished_paper, copy_of, read_page):
    run = copy_of(finished_paper)
    shutil.rmtree(run / "samples")
    page = page_of(run, read_page)
    best = json.loads((run / "result.json").read_text())["best"]
    assert f"{100 * best['cost']:.2f}" in page.words
    assert "No sample is left of fit and CHIK" in page.words
    assert not any(alt.startswith("g(r) of") for alt in page.pictures)


def test_a_result_that_is_older_than_the_journal_is_not_believed(finished_paper, copy_of):
    run = copy_of(finished_paper)
    result = json.loads((run / "result.json").read_text())
    result["evaluations"]["ok"] -= 1
    (run / "result.json").write_text(json.dumps(result))
    assert view_run(run, slices=False).state == "open"
    (run / "result.json").write_text("{")
    assert view_run(run, slices=False).state == "open"


def test_errors_of_the_parameters_are_told(finished_paper, copy_of, read_page):
    run = copy_of(finished_paper)
    result = json.loads((run / "result.json").read_text())
    names = ("q_Si", "A_Si-O")

    def by_name(*values):
        return dict(zip(names, values, strict=True))

    direction = {"error": 0.01, "reach": None, "resolved": True, "words": "q_Si <alone>"}
    direction["curvature"] = 1.0
    result["uncertainty"] = {
        "rise": 0.001,
        "relative": by_name(True, True),
        "bounds": by_name([1.0, 3.0], [9000.0, 20000.0]),
        "errors": by_name(0.004, None),
        "reach": by_name(0.01, 0.2),
        "at_bound": [],
        "covariance": [[1.6e-5, 0.0], [0.0, 0.25]],
        "directions": [direction | {"loadings": by_name(1.0, 0.0)}] * 2,
        "ensemble": [{"parameters": by_name(2.0, 18000.0), "predicted": 0.101, "failed": "lost"}],
    }
    (run / "result.json").write_text(json.dumps(result))
    page = page_of(run, read_page)
    assert "q_Si <alone>" in page.words
    assert "± 0.4 %" in page.words
    assert "failed: lost" in page.words
    assert any(alt.startswith("Correlations of 2 parameters") for alt in page.pictures)


def test_slices_go_through_the_best_and_keep_to_what_is_allowed(finished_paper):
    view = view_run(finished_paper)
    best = view.points.unit[view.points.path[-1]]
    assert view.slices.best == pytest.approx(view.points.values[view.points.path[-1]])
    here = []
    for line, u in zip(view.slices.lines, best, strict=True):
        assert np.all(line.low < line.mean)
        assert np.all(line.mean < line.high)
        assert np.all(np.isnan(line.gain) == ~line.allowed)
        assert set(line.near) <= set(np.flatnonzero(np.isfinite(view.points.cost)))
        here.append(np.interp(u, np.linspace(0, 1, line.mean.size), line.mean))
    assert here[0] == pytest.approx(here[1], rel=0.01)
    assert sorted(view.slices.plane.axes) == [0, 1]


def test_the_path_follows_the_origins(make_run):
    view = view_run(make_run("gauss-newton", "open"))
    assert view.points.path[0] == 0
    assert list(view.points.path) == sorted(view.points.path)


def test_a_page_that_cannot_be_written_leaves_the_old_one(finished_paper, copy_of, monkeypatch):
    run = copy_of(finished_paper)
    (run / "report.html").write_text("old")
    monkeypatch.setattr("lammpsfit.run_pages.run_page", lambda view: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(run, run / "report.html")
    assert (run / "report.html").read_text() == "old"
    assert [path.name for path in run.glob(".*")] == []


def test_a_report_that_fails_is_one_line(finished_paper, monkeypatch, capsys):
    monkeypatch.setattr("lammpsfit.run_pages.run_page", lambda view: 1 / 0)
    write_report(finished_paper, output_console())
    (line,) = capsys.readouterr().out.splitlines()
    assert "not written (division by zero)" in line
    assert f"lammpsfit report {finished_paper}" in line


def test_runs_are_compared(finished_paper, make_run, tmp_path, read_page):
    runs = [
        finished_paper,
        make_run("gauss-newton", "stopped", HOSTILE),
        make_run("paper", "empty"),
    ]
    write_comparison(runs, tmp_path / "compare.html")
    page = read_page((tmp_path / "compare.html").read_text("utf-8"))
    assert page.sections == ["Cost against complexity", "Runs"]
    assert "Lowest confirmed R: " in page.words
    assert " %, by small & quick" in page.words
    assert HOSTILE in page.words
    (alt,) = page.pictures
    assert alt.count(" with 2") == 2


@pytest.fixture
def call(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lammpsfit", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, caught.value.code, said.out, said.err)

    return call


def test_the_command_line(make_run, call, tmp_path):
    run = make_run("gauss-newton", "stopped")
    done = call(run, "--json", tmp_path / "runs.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert (run / "report.html").exists()
    (told,) = json.loads((tmp_path / "runs.json").read_text())["runs"]
    assert told["parameters"] == ["q_Si", "A_Si-O"]
    assert told["state"] == "stopped"
    assert 0 < told["cost"] < math.inf
    done = call(run, run, "-o", tmp_path / "compare.html")
    assert done.returncode == 0
    assert (tmp_path / "compare.html").exists()


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_what_a_run_is_made_of_is_not_replaced(make_run, call, option, tmp_path, monkeypatch):
    run, other = make_run("gauss-newton", "stopped"), make_run("paper", "empty")
    (run / "result.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    page = ["-o", tmp_path / "page.html"]
    for name in ("journal.jsonl", "job.toml", "result.json"):
        before = (run / name).read_bytes()
        refused = call(run, *page, option, run / name)
        assert refused.returncode == 2
        (line,) = refused.stderr.splitlines()
        assert f"cannot write {run / name}: it is of the run {run}" in line
        assert call(other, run, *page, option, run / name).returncode == 2
        assert (run / name).read_bytes() == before
    assert not (tmp_path / "page.html").exists()


def test_pages_and_results_in_a_run_folder_are_written_again(make_run, call):
    run = make_run("gauss-newton", "stopped")
    for _ in range(2):
        done = call(run, "-o", run / "mine.html", "--json", run / "mine.json")
        assert (done.returncode, done.stderr) == (0, "")
    same = call(run, "-o", run / "mine.html", "--json", run / "mine.html")
    assert "it is given twice" in same.stderr


@pytest.mark.parametrize("names", [["missing"], ["job.toml"], ["missing", "-o", "page.html"]])
def test_no_run_folder_is_one_line(names, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.toml").write_text("")
    refused = call(*names)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert names[0] in line
    assert [path.name for path in tmp_path.iterdir()] == ["job.toml"]


def test_several_runs_need_a_name(call, tmp_path):
    refused = call(tmp_path, tmp_path)
    assert refused.returncode == 2
    assert "-o compare.html" in refused.stderr


def test_a_folder_that_is_missing_is_refused_before_any_work(make_run, call, tmp_path):
    refused = call(make_run("paper", "empty"), "-o", tmp_path / "none" / "page.html")
    assert refused.returncode == 2
    assert "make it first" in refused.stderr


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="journal"):
        view_run(tmp_path)


def test_a_fit_leaves_its_page(finished_run, read_page):
    page = read_page((finished_run / "report.html").read_text("utf-8"))
    assert page.sections == SECTIONS
    assert page.headings[0] == ("h1", "small")
