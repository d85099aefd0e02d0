"""A whole fit with LAMMPS: what it leaves, and what a kill, a signal or a careless hand breaks."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.config import override, read_job
from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.run import result, search
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.forcefield import dump_potential, load_potential

pytestmark = pytest.mark.lammps

LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"


def opened(path, job_file, **changes):
    job = override(read_job(job_file), **changes)
    return open_fit(*open_run(create_run(path, job).path))


def run(fit, workers=2, stop=lambda: None):
    return run_fit(fit, LocalFarm(workers), Silent(), stop)


def resumed(path, workers=1):
    """Go on with a fit in this process, without the pictures of the command."""
    return run(open_fit(*open_run(path)), workers)


def records(path, kind="evaluation"):
    """Records of a run without what depends on the clock."""
    clock = ("seconds", "wall", "worker")
    found = read_journal(path / "journal.jsonl").of_type(kind)
    return [{key: value for key, value in r.items() if key not in clock} for r in found]


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("nothing happened for a minute")


def children(pid):
    """LAMMPS children that were started by process `pid`, which may be dead itself."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"lammpsfit.child.main" in arguments and str(pid).encode() in arguments:
            found.append(int(folder.name))
    return found


def start(*arguments, **environment):
    return subprocess.Popen(
        [LAMMPSFIT, *map(str, arguments)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def count(path):
    """Number of evaluations a run's journal holds, while it is being written."""
    journal = path / "journal.jsonl"
    return len(read_journal(journal).of_type("evaluation")) if journal.exists() else -1


@pytest.fixture
def copy(finished_run, tmp_path):
    return Path(shutil.copytree(finished_run, tmp_path / "copy"))


def test_a_whole_fit_leaves_what_it_promises(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    assert names >= {"job.toml", "journal.jsonl", "result.json", "potential.toml", "lammps"}
    result = json.loads((finished_run / "result.json").read_text())
    best = result["best"]
    assert 0 < best["cost"] < 1
    assert 0 < best["cost_error"] < best["cost"]
    assert 0 < best["cost_corrected"] < best["cost"]
    assert set(best["pair_costs"]) == {"Si-O", "O-O", "Si-Si"}
    mean = math.sqrt(sum(cost**2 for cost in best["pair_costs"].values()) / 3)
    assert best["cost"] == pytest.approx(mean)
    assert set(best["parameters"]) == {"q_Si", "A_Si-O"}
    evaluations = records(finished_run)
    # now and then a short run of so few atoms collapses, on one processor and not on another
    failed = [r for r in evaluations if r["status"] == "failed"]
    assert len(failed) <= 2
    assert result["evaluations"] == {
        "ok": len(evaluations) - len(failed),
        "censored": 0,
        "failed": len(failed),
        "by_reason": dict(Counter(r["reason"] for r in failed)),
    }
    confirmed = records(finished_run, "confirmation")
    assert result["atom_steps"] == sum(r.get("atom_steps", 0) for r in evaluations + confirmed)
    assert result["wall_s"] > 0
    assert result["seed"] == 3
    assert {"lammpsfit", "lammps", "python"} <= set(result["versions"])


def test_the_best_potential_is_the_one_that_was_confirmed(finished_run):
    best = json.loads((finished_run / "result.json").read_text())["best"]
    potential = load_potential(str(finished_run / "potential.toml"))
    assert {name: potential.parameters[name] for name in best["parameters"]} == best["parameters"]
    assert potential.net_charge({"Si": 1, "O": 2}) == pytest.approx(0.0, abs=1e-12)
    (winner,) = (r for r in records(finished_run) if r["id"] == best["evaluation"])
    assert winner["parameters"] == pytest.approx(best["parameters"])


def test_every_evaluation_is_numbered_seeded_and_kept(finished_run):
    evaluations = records(finished_run)
    assert sorted(r["id"] for r in evaluations) == list(range(len(evaluations)))
    assert len({r["seed"] for r in evaluations}) == len(evaluations)
    for one in evaluations:
        kept = (finished_run / "samples" / f"{one['id']:06d}.npz").exists()
        assert kept == (one["status"] == "ok")
    confirmed = {(r["label"], r["repeat"]) for r in records(finished_run, "confirmation")}
    best = json.loads((finished_run / "result.json").read_text())["best"]["evaluation"]
    assert confirmed == {(label, k) for label in (f"fit-{best}", "CHIK") for k in (0, 1)}


def test_a_finished_run_is_not_run_again(lammpsfit, finished_run, copy):
    done = lammpsfit("resume", copy)
    assert done.returncode == 0, done.stderr
    assert (copy / "journal.jsonl").read_bytes() == (finished_run / "journal.jsonl").read_bytes()
    again, before = (json.loads((p / "result.json").read_text()) for p in (copy, finished_run))
    assert again["best"] == before["best"]
    assert again["evaluations"] == before["evaluations"]


def test_a_run_folder_stands_alone(job_text, tmp_path, structure):
    for folder in ("home", "elsewhere"):
        (tmp_path / folder).mkdir()
    reference = tomllib.loads(job_text)["reference"]["file"]
    shutil.copy(reference, tmp_path / "home" / "my gr.csv")
    potential = load_potential("CHIK")
    for name in ("mine.toml", "sub/other"):
        (tmp_path / "home" / name).parent.mkdir(exist_ok=True)
        text = dump_potential(potential).replace("CHIK", f"a {name[:3]}/ß")
        (tmp_path / "home" / name).write_text(text)
    text = job_text.replace(reference, "my gr.csv").replace(
        'compare = ["CHIK"]', 'compare = ["mine.toml", "sub/other", "CHIK"]'
    )
    (tmp_path / "home" / "job.toml").write_text(text)
    create_run(tmp_path / "elsewhere" / "run", read_job(tmp_path / "home" / "job.toml"))
    shutil.rmtree(tmp_path / "home")
    moved = (tmp_path / "elsewhere").rename(tmp_path / "with space")
    fit = open_fit(*open_run(moved / "run"))
    assert list(fit.conditions.load_known(fit.job.confirm.compare)) == [
        "a min/ß",
        "a sub/ß",
        "CHIK",
    ]


@pytest.mark.parametrize("after", [0, 9])
def test_a_killed_fit_goes_on_as_if_nothing_had_happened(finished_run, job_file, tmp_path, after):
    process = start("fit", job_file, "-o", tmp_path / "run", "--workers", "1")
    wait_until(lambda: count(tmp_path / "run") >= after or process.poll() is not None)
    process.kill()
    process.communicate()
    held = records(tmp_path / "run")
    assert len(held) >= after
    wait_until(lambda: not children(process.pid))
    resumed(tmp_path / "run")
    assert records(tmp_path / "run")[: len(held)] == held
    assert records(tmp_path / "run") == records(finished_run)
    assert records(tmp_path / "run", "confirmation") == records(finished_run, "confirmation")
    best, expected = (
        json.loads((path / "result.json").read_text())["best"]
        for path in (tmp_path / "run", finished_run)
    )
    assert best == expected


def test_killed_again_and_again_with_two_workers_nothing_is_lost_or_done_twice(job_file, tmp_path):
    seed = int.from_bytes(os.urandom(4), "big")
    rng = np.random.default_rng(seed)
    path, held = tmp_path / "run", []
    arguments = ("fit", job_file, "-o", path)
    for _ in range(4):
        process = start(*arguments, "--workers", "2")
        more = len(held) + int(rng.integers(0, 4))
        wait_until(lambda p=process, more=more: count(path) >= more or p.poll() is not None)
        time.sleep(float(rng.uniform(0, 0.2)))
        process.kill()
        process.communicate()
        wait_until(lambda p=process: not children(p.pid))
        now = records(path)
        assert now[: len(held)] == held, f"seed {seed}"
        held, arguments = now, ("resume", path)
    resumed(path, workers=2)
    found = records(path)
    assert found[: len(held)] == held, f"seed {seed}"
    assert sorted(r["id"] for r in found) == list(range(len(found))), f"seed {seed}"
    summary = json.loads((path / "result.json").read_text())
    assert summary["evaluations"]["ok"] + summary["evaluations"]["failed"] == len(found)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_order(lammpsfit, finished_run, job_file, tmp_path, number):
    process = start("fit", job_file, "-o", tmp_path / "run", "--workers", "1")
    wait_until(lambda: count(tmp_path / "run") >= 3 or process.poll() is not None)
    process.send_signal(number)
    said, _ = process.communicate()
    assert process.returncode == 75, said
    assert f"stopped ({number.name}): 'lammpsfit resume {tmp_path / 'run'}' goes on" in said
    assert "Traceback" not in said
    assert not children(process.pid)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["status"], result["stopped"]) == ("unfinished", number.name)
    journal = read_journal(tmp_path / "run" / "journal.jsonl")
    assert journal.damaged == 0
    assert result["evaluations"]["ok"] == len(journal.of_type("evaluation"))
    assert not (tmp_path / "run" / "potential.toml").exists()
    if number == signal.SIGTERM:
        assert lammpsfit("resume", tmp_path / "run", "--workers", 1).returncode == 0
        assert records(tmp_path / "run") == records(finished_run)


def test_a_signal_stops_the_melt(job_text, tmp_path):
    (tmp_path / "job.toml").write_text(job_text.replace("melt = 0.3", "melt = 3000.0"))
    process = start("fit", tmp_path / "job.toml", "-o", tmp_path / "run")
    wait_until(lambda: children(process.pid) or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert not children(process.pid)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["stopped"], result["evaluations"]["ok"]) == ("SIGTERM", 0)


def test_failed_evaluations_are_kept_with_their_reason_and_the_search_goes_on(
    job_file, structure, tmp_path, monkeypatch
):
    task = search._task

    def sometimes(fit, ask, structure):
        if ask.id in (1, 6):
            return partial(signal.raise_signal, signal.SIGKILL), 60.0
        return task(fit, ask, structure)

    monkeypatch.setattr(search, "_task", sometimes)
    result = run(opened(tmp_path / "run", job_file))
    failed = {r["id"]: r for r in records(tmp_path / "run") if r["status"] == "failed"}
    # where results come in another order, a point of the search may fail by itself
    killed = {id_: r for id_, r in failed.items() if r["reason"] == "killed"}
    assert set(killed) == {1, 6}
    assert {r["detail"] for r in killed.values()} == {"by SIGKILL"}
    assert all(
        len(r["x"]) == 2 and set(r["parameters"]) == {"q_Si", "A_Si-O"} for r in failed.values()
    )
    assert result.summary["evaluations"]["by_reason"]["killed"] == 2
    assert result.summary["evaluations"]["ok"] == len(records(tmp_path / "run")) - len(failed)
    assert result.summary["status"] == "finished"


def test_nothing_is_begun_that_the_walltime_would_cut_off(job_file, structure, tmp_path):
    fit = opened(tmp_path / "run", job_file)
    fit.deadline = time.monotonic() + 3600.0
    assert not fit.late
    fit.records.append({"seconds": 3601.0, "status": "failed", "reason": "timeout"})
    assert not fit.late  # a run that hung says nothing of the next one
    fit.records.append({"seconds": 3601.0, "status": "ok"})
    assert fit.late
    fit.records.clear()
    fit.deadline = time.monotonic() - 1.0
    result = run(fit)
    assert result.stopped == "walltime"
    assert result.summary["evaluations"]["ok"] == 0
    assert records(tmp_path / "run") == []


class Together(LocalFarm):
    """A farm whose evaluations come back together."""

    def wait(self, seconds):
        finished = []
        while self.busy:
            finished += super().wait(seconds)
        return finished


def test_whatever_is_finished_is_kept_before_the_search_thinks(
    job_file, structure, tmp_path, monkeypatch
):
    def die(self, record):
        raise KeyboardInterrupt

    fit = opened(tmp_path / "run", job_file)
    monkeypatch.setattr(search.Eager, "take", die)
    with pytest.raises(KeyboardInterrupt):
        run_fit(fit, Together(2), Silent(), lambda: None)
    assert {r["id"] for r in records(tmp_path / "run")} == {0, 1}


def test_a_second_writer_overwrites_no_sample(job_file, structure, tmp_path, monkeypatch):
    fit = opened(tmp_path / "run", job_file)
    task = search._task

    def meanwhile(*arguments):
        with fit.folder.journal.open("a") as journal:
            journal.write("\n")
        return task(*arguments)

    monkeypatch.setattr(search, "_task", meanwhile)
    with pytest.raises(RunError, match="another lammpsfit writes this journal"):
        run(fit, workers=1)
    assert not list(fit.folder.path.glob("samples/*"))


@pytest.mark.parametrize(
    ("title", "name"),
    [("SiO₂ at\u00a03600\u00a0K", "SiO₂ at 3600 K"), ("a\tb\u200b", "a b"), ("\u200b", "BKS-fit")],
)
def test_any_title_gives_a_potential_a_name(job_file, structure, tmp_path, title, name):
    fit = opened(tmp_path / "run", job_file)
    titled = SimpleNamespace(job=SimpleNamespace(title=title), problem=fit.problem)
    assert result._name(titled) == name
    assert replace(fit.problem.potential, name=name).name == name


def test_no_cost_at_all_is_an_error(job_file, structure, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_task", lambda *_: (partial(os._exit, 3), 60.0))
    with pytest.raises(RunError, match="must give a cost, all 5 failed"):
        run(opened(tmp_path / "run", job_file))
    assert {r["reason"] for r in records(tmp_path / "run")} == {"crash"}


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_is_kept_and_can_be_raised(job_file, structure, tmp_path, limit):
    result = run(opened(tmp_path / "run", job_file, evaluations=limit))
    held = records(tmp_path / "run")
    assert len(held) == limit
    assert result.summary["status"] == "finished"
    folder, job, journal = open_run(tmp_path / "run")
    run(open_fit(folder, override(job, evaluations=limit + 1), journal))
    assert records(tmp_path / "run")[:limit] == held
    assert len(records(tmp_path / "run")) == limit + 1


def test_a_stop_before_anything_ran(job_file, structure, tmp_path):
    result = run(opened(tmp_path / "run", job_file), stop=lambda: "walltime")
    assert (result.stopped, result.potential) == ("walltime", None)
    numbers = {"ok": 0, "censored": 0, "failed": 0, "by_reason": {}}
    assert result.summary["evaluations"] == numbers
    assert "best" not in result.summary


def test_lost_samples_are_made_again(copy, finished_run):
    shutil.rmtree(copy / "samples")
    result = resumed(copy, workers=2)
    before = json.loads((finished_run / "result.json").read_text())
    assert result.summary["best"] == before["best"]
    assert records(copy) == records(finished_run)


def test_a_damaged_sample_is_made_again(copy, finished_run):
    for path in (copy / "samples").glob("confirm-*"):
        path.write_bytes(path.read_bytes()[:-100])
    before = json.loads((finished_run / "result.json").read_text())
    assert resumed(copy, workers=2).summary["best"] == before["best"]


def test_a_changed_job_is_refused_and_the_change_named(copy):
    text = (copy / "job.toml").read_text()
    (copy / "job.toml").write_text(text.replace("temperature = 3600.0", "temperature = 3500.0"))
    with pytest.raises(
        InputError,
        match=r"changed since the run began \(protocol\.temperature was 3600\.0, is 3500",
    ):
        open_run(copy)
    (copy / "job.toml").write_text(text + '[parameters."C_O-O"]\nfactor = 2.0\nlog = true\n')
    with pytest.raises(InputError, match=r"C_O-O was None, is {'factor': 2\.0"):
        open_run(copy)
    (copy / "job.toml").write_text("# a comment is no change\n" + text)
    open_run(copy)


@pytest.mark.parametrize("name", ["reference.csv", "start.toml"])
def test_a_changed_input_is_refused(copy, name):
    path = copy / "inputs" / name
    path.write_text(path.read_text() + "# a note\n")
    with pytest.raises(InputError, match=rf"inputs/{name} was changed or removed since the run"):
        open_run(copy)
    path.unlink()
    with pytest.raises(InputError, match=rf"inputs/{name}"):
        open_run(copy)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "journal.jsonl").unlink(), "no journal here"),
        (lambda run: (run / "journal.jsonl").write_bytes(b""), "no run was begun here"),
        (lambda run: (run / "journal.jsonl").write_bytes(bytes(range(256))), "no run was begun"),
        (lambda run: (run / "job.toml").unlink(), "no such job file"),
        (lambda run: (run / "job.toml").write_text(""), "is missing"),
        (lambda run: shutil.rmtree(run), "no such run folder"),
    ],
    ids=["no journal", "empty journal", "garbage", "no job", "empty job", "no folder"],
)
def test_what_cannot_be_continued(copy, spoil, message):
    spoil(copy)
    with pytest.raises(InputError, match=message):
        open_run(copy)


@pytest.mark.parametrize("inputs", ["start.toml", "reference.csv"])
def test_lost_inputs_are_named(copy, inputs):
    (copy / "inputs" / inputs).unlink()
    with pytest.raises(InputError, match=inputs):
        open_fit(*open_run(copy))


@pytest.mark.parametrize("name", ["journal.jsonl", "job.toml", "inputs", "samples"])
def test_nothing_is_written_over(job_file, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=r"holds a run already|would be written over"):
        create_run(tmp_path, read_job(job_file))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
