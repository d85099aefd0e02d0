"""Absurd values of a job are refused in one line before anything is made, by a dry run already."""

import json
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from lammpsfit.cli import main
from lammpsfit.config import Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.md.configuration import random_packing
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.melt import Melting
from lammpsfit.md.system import System, composition_of

ABSURD = (1e400, 1e308, 1e30, 10**30, -1e308)
"""Larger than anything of this world, of either sign; the first is infinite."""


def numbers(model, path=()):
    """Yield the place of every number of a job."""
    for name, field in model.items():
        if isinstance(field, dict):
            yield from numbers(field, (*path, name))
        elif isinstance(field, int | float) and not isinstance(field, bool):
            yield (*path, name)


@pytest.fixture(scope="module")
def content(job_file):
    """A job with a value for every key that takes a number."""
    job = read_job(job_file).model_dump(mode="json")
    job["pressure"] = {"value": 0.0, "per_percent": 5000.0}
    job["reference"] |= {"r_max": 6.0, "weights": {"Si-O": 1.0}, "error": {"Si-O": 0.01}}
    job["parameters"] |= {
        "C_Si-O": {"min": 1.0, "max": 200.0},
        "A_O-O": {"tied_to": "C_Si-O", "times": 2.0},
    }
    job["strategy"] |= {"barrier": 45.0, "race": 2.0}
    job["farm"]["ordered"] = 2
    job["limits"] |= {"evaluations": 10, "evaluation_s": 60.0}
    job["confirm"] |= {"atoms": 306, "relax": 1.0, "sample": 1.0}
    job["system"]["melt"]["temperature"] = 4000.0
    for table in (job, *job["parameters"].values()):
        for name in [name for name, value in table.items() if value is None]:
            del table[name]
    Job.model_validate(job)
    return job


@pytest.mark.parametrize("value", ABSURD, ids=repr)
def test_every_number_of_a_job_has_bounds(content, value):
    """Generated from the models: a number that is added has bounds, too, or it fails here."""
    places = [place for place in numbers(content) if place[-1] != "also"]
    assert len(places) > 40
    free = []
    for place in places:
        changed = json.loads(json.dumps(content))
        table = changed
        for name in place[:-1]:
            table = table[name]
        table[place[-1]] = value
        try:
            Job.model_validate(changed)
        except ValidationError:
            continue
        free.append(".".join(place))
    allowed = {
        # lower bounds of these are those of what is made of them, see below
        *("system.density", "system.atoms", "protocol.temperature", "protocol.relax"),
        *("protocol.sample", "protocol.timestep_fs", "protocol.every_fs", "protocol.blocks"),
        *("confirm.relax", "confirm.sample", "reference.weights.Si-O", "reference.error.Si-O"),
    }
    assert set(free) <= (allowed if value < 0 else set())


CASES = {
    "temperature": ("temperature = 3600.0", "temperature = 1e9"),
    "temperature below": ("temperature = 3600.0", "temperature = -1e308"),
    "melt": ("melt = 0.3", "melt = 1e12"),
    "melt steps": ("melt = 0.3", "melt = 1e6"),
    "density": ("density = 2.2", "density = 1e-300"),
    "density above": ("density = 2.2", "density = 1e300"),
    "starts": ('name = "paper"', 'name = "gauss-newton"\nstarts = 1000000000'),
    "design": ("design = 4", "design = 1000000000"),
    "explore": ("explore = 4", "explore = 1000000000"),
    "repeats": ("repeats = 2", "repeats = 1000000000"),
    "formula infinite": ('"SiO2"', '"Si1e400O2"'),
    "formula long": ('"SiO2"', f'"{"(" * 5000}SiO2{")" * 5000}"'),
    "formula huge": ('"SiO2"', '"Si99999999999999999999O2"'),
    "weight": ("[system]", "[reference.weights]\n'Si-O' = 1e308\n[system]"),
    "sample": ("sample = 0.2", "sample = 1e300"),
    "frames": ("every_fs = 10.0", "every_fs = 1e-5"),
    "title": ('title = "small"', f'title = "{"x" * 100000}"'),
}


@pytest.mark.parametrize("case", CASES)
def test_a_dry_run_refuses_absurd_values(job_text, tmp_path, monkeypatch, capsys, case):
    old, new = CASES[case]
    assert old in job_text
    text = job_text.replace(old, new, 1)
    if case == "melt steps":
        text = text.replace("sample = 0.2", "sample = 0.2\ntimestep_fs = 0.1")
    (tmp_path / "job.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lammpsfit", "fit", "job.toml", "-o", "run", "--dry-run"])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr().err
    assert caught.value.code == 2, said
    assert said.count("\n") == 1
    assert len(said) <= 301
    assert not (tmp_path / "run").exists()


GOOD = """
name = "mine"
cutoff = 8.0
[species.Si]
mass = 28.0
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cutoff = 8.0", "cutoff = 60.0", "cutoffs must be at most 30 Å, got 60"),
        ("cutoff = 8.0", "cutoff = 1e308", "cutoffs must be at most 30 Å"),
        ("mass = 28.0", "mass = 1e308", "mass of Si must be positive"),
        (
            "mass = 28.0",
            "mass = 28.0\n[pairs.Si-Si]\nrepulsion = { D = 1e308 }",
            "D_Si-Si must be a finite number up to 1e",
        ),
    ],
)
def test_a_potential_has_bounds(old, new, message):
    parse_potential(GOOD)
    with pytest.raises(InputError, match=message):
        parse_potential(GOOD.replace(old, new))


def test_bins_that_are_too_many_are_refused():
    with pytest.raises(InputError, match="resample the reference to wider ones"):
        Histogram.onto(1e-9 * (np.arange(100) + 0.5), 8.0)


@pytest.mark.parametrize("formula", ["Si1e400O2", "(" * 3000, "Si0.5O", "", "Si-1"])
def test_formulas_that_are_none_are_one_error(formula):
    with pytest.raises(InputError, match="formula"):
        composition_of(formula)


def test_times_beyond_what_can_be_counted_are_refused():
    with pytest.raises(InputError, match=r"melt\.cool must be below 2e\+09 steps, got 1e\+06 ps"):
        Melting("random", 4000.0, 3600.0, cool=1e6, timestep_fs=0.1)


def all_at_once(system, length, seed):
    """Drop atoms at random as the definition says, each compared with all before."""
    rng = np.random.default_rng(seed)
    distance = (6.0 * 0.15 * length**3 / (np.pi * system.atoms)) ** (1 / 3)
    placed = np.empty((0, 3))
    for trial in rng.uniform(0.0, length, size=(1000 * system.atoms, 3)):
        apart = placed - trial
        apart -= length * np.round(apart / length)
        if np.all(np.einsum("ij,ij->i", apart, apart) >= distance**2):
            placed = np.vstack([placed, trial])
            if len(placed) == system.atoms:
                return placed
    return None


@pytest.mark.parametrize("atoms", [3, 6, 12, 60, 306])
def test_a_packing_is_found_without_comparing_all(atoms):
    """The same to the bit, in memory that grows with the atoms only."""
    system = System("SiO2", atoms, 2.2)
    length = system.box_length({"Si": 28.0855, "O": 15.9994})
    for seed in (1, 2, 3):
        found = random_packing(system, length, seed).positions
        assert np.array_equal(found, all_at_once(system, length, seed))
