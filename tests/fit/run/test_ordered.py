"""An ordered fit with LAMMPS is the same with one worker, with two, and under mpiexec."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lammpsfit.farm.journal import read_journal

BIN = Path(sys.executable).parent
TIMING = {"seconds", "wall"}


@pytest.mark.lammps
def test_an_ordered_fit_is_the_same_however_it_is_run(job_text, structure, tmp_path):
    (tmp_path / "job.toml").write_text(job_text + "\n[farm]\nordered = 3\n")
    launches = {
        "one": ([], ["--workers", "1"]),
        "two": ([], ["--workers", "2", "--oversubscribe"]),
        "mpi": ([BIN / "mpiexec", "-n", "3"], ["--oversubscribe"]),
    }
    evaluations, best = {}, {}
    for name, (launcher, options) in launches.items():
        command = [*launcher, BIN / "lammpsfit", "fit", tmp_path / "job.toml"]
        done = subprocess.run(
            [*map(str, command), "-o", str(tmp_path / name), *options],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
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
