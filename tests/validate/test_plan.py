"""What a validation will run and compare with, before anything runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.forcefield import Species
from lammpsfit.md.observe import Part, Quench
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.validate.known import onto, reference_coordination
from lammpsfit.validate.plan import Request, Run, build_plan
from lammpsfit.validate.store import Store

SILICA = Path(__file__).parents[2] / "examples" / "silica"
ANGLES = SILICA / "bond_angles_3600K.csv"


@pytest.fixture
def job_with_angles(job_text, tmp_path):
    (tmp_path / "inputs").mkdir()
    shutil.copy(ANGLES, tmp_path / "inputs" / "angles.csv")
    path = tmp_path / "inputs" / "job.toml"
    path.write_text(job_text.replace("[system]", 'angles = "angles.csv"\n\n[system]', 1))
    return path


SODIUM = """title = "glass"
potential = "SHIK"

[system]
formula = "Na2Si3O7"
atoms = 648
density = 2.412

[protocol]
temperature = 3000.0

[pressure]
value = 0.0

[parameters]
"A_Si-O" = { factor = 2.0 }
"""


def test_times_seeds_and_parts(job_file):
    plan = build_plan(Request(["BKS", "ML"], job_file, quench=Quench(10.0)))
    assert plan.problem.protocol.sample == 2 * 0.2
    assert plan.problem.protocol.relax == 0.05
    parts = (Part.LIQUID, Part.DENSITY, Part.GLASS)
    assert plan.units == [(name, Run(part)) for part in parts for name in ("BKS", "ML")]
    structure = Path("start.data")
    seeds = {
        part: {plan.task(name, Run(part), structure).seed for name in ("BKS", "ML")}
        for part in parts
    }
    assert [len(of_part) for of_part in seeds.values()] == [1, 1, 1]  # shared by potentials
    assert len(set.union(*seeds.values())) == 3
    assert plan.task("BKS", Run(Part.LIQUID), structure).quench is None
    assert plan.task("BKS", Run(Part.GLASS), structure).quench == Quench(10.0)


def test_further_glasses_and_crystals_leave_the_other_runs_as_they_are(job_file):
    one = build_plan(Request(["BKS"], job_file, quench=Quench(10.0)))
    quench, crystals = Quench(10.0), [SILICA / "alpha_quartz.cif", SILICA / "beta_cristobalite.cif"]
    many = build_plan(Request(["BKS"], job_file, quench=quench, glasses=3, crystals=crystals))
    assert [str(run) for run in many.runs[len(one.runs) :]] == [
        *("glass 2", "glass 3", "crystal alpha_quartz", "crystal beta_cristobalite")
    ]
    structure = Path("start.data")
    for run in one.runs:
        assert repr(many.task("BKS", run, structure)) == repr(one.task("BKS", run, structure))
    assert len({many.task("BKS", run, structure).seed for run in many.runs}) == len(many.runs)
    assert many.task("BKS", many.runs[-1], structure).atoms == 192  # two cells of 7.17 Å each way


def test_other_temperatures_are_liquids_at_the_density_of_the_job(job_file):
    plan = build_plan(Request(["BKS"], job_file, temperatures=[4000.0, 3600.0, 3200.0]))
    assert [str(run) for run in plan.runs[-2:]] == ["diffusion 4000 K", "diffusion 3200 K"]
    task = plan.task("BKS", plan.runs[-1], Path("start.data"))
    assert task.part is Part.LIQUID
    assert task.protocol == replace(plan.problem.protocol, temperature=3200.0)
    for wrong, message in (
        ([4000.0], "got 1 beside 3600 K"),
        ([4000.0, -1.0], "from 0 to 100000 K, got -1"),
    ):
        with pytest.raises(InputError, match=message):
            build_plan(Request(["BKS"], job_file, temperatures=wrong))


def test_bonds_join_opposite_charges(job_file):
    plan = build_plan(Request(["BKS"], job_file))
    assert list(plan.cutoffs) == ["Si-O"]
    assert 2.0 < plan.cutoffs["Si-O"] < 2.6
    own = build_plan(Request(["BKS"], job_file, cutoffs={"O-Si": 2.0, "O-O": 3.1}))
    assert dict(own.cutoffs) == {"Si-O": 2.0, "O-O": 3.1}


def test_without_a_reference_bonds_end_by_the_radii_of_the_elements(tmp_path):
    job = tmp_path / "job.toml"
    job.write_text(SODIUM)
    plan = build_plan(Request(["SHIK"], job))
    # covalent radii of Si, Na and O: 1.11, 1.66 and 0.66 Å
    assert dict(plan.cutoffs) == {"Na-O": 3.02, "Si-O": 2.3}


def test_the_reference_tells_its_coordination(job_file):
    """An independent sum over the reference's bins up to where a bond ends."""
    plan = build_plan(Request(["BKS"], job_file, cutoffs={"Si-O": 2.0}))
    reference = plan.problem.target.reference
    g = reference.reorder(["Si-O"]).g[0]
    density = 2 * 2.2 * 0.602214076 / (28.0855 + 2 * 15.9994)
    inside = reference.r < 2.0
    expected = density * np.sum(4 * np.pi * reference.r**2 * g * 0.02, where=inside)
    assert reference_coordination(plan, "Si", "O") == pytest.approx(expected, rel=1e-3)
    assert reference_coordination(plan, "O", "Si") == pytest.approx(expected / 2, rel=1e-3)
    assert reference_coordination(plan, "O", "O") is None


def test_curves_are_brought_onto_bins_of_the_reference():
    r = 0.1 * (np.arange(20) + 0.5)
    rdf = PartialRdf.from_blocks(("A-A",), r, np.stack([[r], [3 * r]]))
    assert onto(rdf, r).blocks == pytest.approx(rdf.blocks)
    assert onto(rdf, r[:-1] + 0.03).g[0] == pytest.approx(2 * (r[:-1] + 0.03))


def test_a_job_names_its_angles_and_a_run_keeps_them(job_with_angles, tmp_path):
    plan = build_plan(Request(["BKS"], job_with_angles))
    assert list(plan.angles.curves) == ["aimd", "bks", "ml"]
    create_run(tmp_path / "run", read_job(job_with_angles))
    shutil.rmtree(job_with_angles.parent)
    _, job, _ = open_run(tmp_path / "run")
    assert job.reference.angles.read_text() == ANGLES.read_text()
    again = build_plan(Request(["BKS"], tmp_path / "run" / "job.toml"))
    assert again.angles.text == plan.angles.text


def test_a_file_is_named_after_all_that_determines_it(job_file, tmp_path):
    plan = build_plan(Request(["BKS"], job_file))
    structure = tmp_path / "start.data"
    structure.write_text("atoms")
    store, task = Store(tmp_path), plan.task("BKS", Run(Part.LIQUID), structure)
    other = tmp_path / "other.data"
    other.write_text("other atoms")
    heavy = dict(task.potential.species) | {"O": Species(18.0, -1.2)}
    changes = [
        {"part": Part.DENSITY},
        {"seed": task.seed + 1},
        {"cutoffs": {"Si-O": 2.0}},
        {"dr": 0.01},
        {"quench": Quench(10.0)},
        {"structure": other},
        {"protocol": replace(task.protocol, temperature=3500.0)},
        {"potential": replace(task.potential, species=heavy)},
    ]
    paths = {store.path("BKS", replace(task, **change)) for change in changes}
    assert len(paths | {store.path("BKS", task)}) == len(changes) + 1
    copy = tmp_path / "copy.data"
    shutil.copy(structure, copy)
    assert store.path("BKS", replace(task, structure=copy)) == store.path("BKS", task)
    assert store.path("a/b c", task).parent == tmp_path
