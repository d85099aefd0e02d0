"""The examples run as they stand: job files, scripts, and the tables that pictures are made of."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from lammpsfit.config import read_job
from lammpsfit.fit.run.build import build_conditions, build_optimiser, build_space
from lammpsfit.forcefield import load_potential
from lammpsfit.labelled.frames import read_frames
from lammpsfit.md.system import System
from lammpsfit.reference import read_reference

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SODIUM = EXAMPLES / "sodium_silicate"
FIGURES = EXAMPLES / "silica" / "figures"
NAMES = ("charge", "paths", "complexity", "classics", "fits", "angles")
JOBS = sorted(
    path for path in EXAMPLES.rglob("*.toml") if "reference" in tomllib.loads(path.read_text())
)


def make_figures(*arguments):
    done = subprocess.run(
        [sys.executable, FIGURES / "make_figures.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_script_makes_labelled_dynamics_and_leaves_what_is_there(tmp_path):
    script = EXAMPLES / "aluminium" / "make_aimd.py"
    options = ("--calculator", "ase.calculators.emt:EMT", "--steps", "2", "-o", "try.extxyz")

    def make():
        return subprocess.run(
            [sys.executable, script, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    assert (done := make()).returncode == 0, done.stderr
    assert len(read_frames([tmp_path / "try.extxyz"])) == 3
    again = make()
    assert again.returncode == 2
    assert "try.extxyz" in again.stderr


@pytest.mark.parametrize("path", JOBS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_job_can_begin(path):
    job = read_job(path)
    conditions = build_conditions(job)
    conditions.of_size(job.confirm).load_known(job.confirm.compare)
    space = build_space(job, conditions)
    assert build_optimiser(job, conditions, space).ask(1)


def test_the_second_material_takes_a_job_of_less_than_forty_lines(lammpsfit, tmp_path):
    assert len((SODIUM / "job.toml").read_text().splitlines()) < 40
    done = lammpsfit("fit", SODIUM / "job.toml", "-o", tmp_path / "run", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "11 parameters of detuned" in done.stdout


def test_its_start_is_wrong_in_everything_that_is_free():
    job = read_job(SODIUM / "job.toml")
    true = load_potential("Teter").parameters
    start = load_potential(job.potential).parameters
    for name in job.parameters:
        assert abs(start[name] / true[name] - 1) > 0.01, name


def test_its_reference_is_of_the_liquid_that_the_job_runs():
    job = read_job(SODIUM / "job.toml")
    text = (SODIUM / "in.liquid").read_text()
    placed = re.findall(r"^create_atoms\s+\d+ random (\d+)", text, flags=re.MULTILINE)
    system = System(job.system.formula, sum(map(int, placed)), job.system.density)
    assert [int(n) for n in placed] == list(system.counts.values())
    masses = {name: kind.mass for name, kind in load_potential("Teter").species.items()}
    (edge,) = re.findall(r"^region\s+box block 0 (\S+)", text, flags=re.MULTILINE)
    assert float(edge) == pytest.approx(system.box_length(masses), abs=1e-4)
    temperatures = re.findall(r"^fix\s+thermostat all nvt temp \S+ (\S+)", text, re.MULTILINE)
    assert float(temperatures[-1]) == job.protocol.temperature
    reference = read_reference(job.reference.file)
    atoms = ", ".join(f"{n} {name}" for name, n in system.counts.items())
    assert reference.header[0].endswith(f"{system.atoms} atoms: {atoms}")
    assert len(reference.rdf.pairs) == 6


def test_pictures_are_drawn_again_without_a_run(tmp_path):
    make_figures("--pictures", tmp_path)
    for name in NAMES:
        path = tmp_path / f"figures-{name}.png"
        assert path.stat().st_size < 200_000, name
        with Image.open(path) as image:
            assert image.getextrema() != ((255, 255),) * len(image.getbands()), name
        assert (ROOT / "docs" / path.name).exists(), name


def test_what_is_there_is_not_run_again(tmp_path):
    wanted = ("--keep", tmp_path, "--quick", "--only", "fig2", "fig5")
    first = make_figures(*wanted)
    assert "$ lammpsfit fit" in first
    kept = [tmp_path / "line" / "journal.jsonl", *tmp_path.glob("trajectory-*/gr.csv")]
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert len(before) == 3
    second = make_figures(*wanted)
    assert "$" not in second
    assert before == {path: path.stat().st_mtime_ns for path in kept}
    assert sorted(path.name for path in (tmp_path / "data").glob("*.png")) == [
        "figures-charge.png",
        "figures-classics.png",
    ]
