"""An ordered fit with LAMMPS is the same with one worker, with two, and under mpiexec."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lammpsfit.config import read_job
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.run import create_run, open_fit, open_run, run_fit

BIN = Path(sys.executable).parent
TIMING = {"seconds", "wall"}
SILENT = SimpleNamespace(**dict.fromkeys(("say", "begin", "finished", "end"), lambda *_: None))


@pytest.mark.lammps
def test_an_ordered_fit_is_the_same_however_it_is_run(job_text, structure, tmp_path):
    job = tmp_path / "job.toml"
    job.write_text(job_text + "\n[farm]\nordered = 3\n")
    for name, workers in {"one": 1, "two": 2}.items():
        path = create_run(tmp_path / name, read_job(job)).path
        run_fit(open_fit(*open_run(path)), LocalFarm(workers), SILENT, lambda: None)
    command = [BIN / "mpiexec", "-n", "3", BIN / "lammpsfit", "fit", job, "-o", tmp_path / "mpi"]
    done = subprocess.run(
        [*map(str, command), "--oversubscribe"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    evaluations, best = {}, {}
    for name in ("one", "two", "mpi"):
        records = read_journal(tmp_path / name / "journal.jsonl").of_type("evaluation")
        evaluations[name] = {
            r["id"]: {k: v for k, v in r.items() if k not in TIMING} for r in records
        }
        best[name] = json.loads((tmp_path / name / "result.json").read_text())["best"]
    assert {r["stage"] for r in evaluations["one"].values()} == {
        "start",
        "design",
        "explore",
        "refine",
    }
    assert evaluations["two"] == evaluations["one"]
    assert evaluations["mpi"] == evaluations["one"]
    assert best["one"] == best["two"] == best["mpi"]
