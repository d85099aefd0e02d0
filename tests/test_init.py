"""``lammpsfit init``: what it writes is a job that passes as it stands."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from lammpsfit.cli import main
from lammpsfit.config import read_job
from lammpsfit.fit.run.build import build_conditions, build_optimiser, build_space
from lammpsfit.fit.run.new_job import Known, choose_potential, new_job
from lammpsfit.forcefield import load_potential
from lammpsfit.md.configuration import build
from lammpsfit.md.system import System

GR = Path(__file__).parent.parent / "examples" / "silica" / "gr_aimd_3600K.csv"
SILICA = ["SiO2", "--temperature", "3600", "--density", "2.2", "--gr", str(GR)]


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Call ``lammpsfit init`` in an empty folder; returns exit code, printed lines and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lammpsfit", "init", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return caught.value.code, said.out, said.err

    return call


def built(path):
    job = read_job(path)
    conditions = build_conditions(job)
    space = build_space(job, conditions)
    build_optimiser(job, conditions, space)
    return job, space


def test_a_formula_and_a_table_make_a_job_that_passes(init):
    code, out, err = init(*SILICA, "-o", "job.toml")
    assert (code, err) == (0, "")
    assert "job.toml is ready: lammpsfit fit job.toml -o run" in out
    job, space = built(Path("job.toml"))
    assert job.potential == "CHIK"  # nothing to fall into, and its Coulomb sum is one over pairs
    assert space.dim == 10
    assert job.limits.evaluations == 40
    assert job.charges.balance == "O"
    assert (job.system.atoms, job.system.structure) == (648, "beta-cristobalite")
    # it says why, line by line
    text = Path("job.toml").read_text()
    assert sum("#" in line for line in text.splitlines()) >= 10
    assert init("SiO2", "-o", "job.toml")[0] == 2


def test_the_same_call_may_write_again_but_not_over_an_edited_job(init):
    assert init(*SILICA, "-o", "job.toml")[0] == 0
    assert init(*SILICA, "-o", "job.toml")[0] == 0
    Path("job.toml").write_text("# mine\n")
    code, _, err = init(*SILICA, "-o", "job.toml")
    assert code == 2
    assert "written over" in err
    assert Path("job.toml").read_text() == "# mine\n"


def test_a_trajectory_brings_its_tables_composition_and_density(init):
    system = System("SiO2", 648, 2.2)
    masses = {"Si": 28.0855, "O": 15.9994}
    box = build(system, "beta-cristobalite", system.box_length(masses), seed=1)
    rng = np.random.default_rng(2)
    frames = [
        Atoms(
            [box.species[t] for t in box.types],
            box.positions + 0.1 * rng.standard_normal(box.positions.shape),
            cell=box.cell,
            pbc=True,
        )
        for _ in range(12)
    ]
    write("liquid.extxyz", frames)
    arguments = ("liquid.extxyz", "-o", "job.toml", "--temperature", "3600", "--pressure", "1e3")
    code, out, err = init(*arguments)
    assert (code, err) == (0, "")
    assert "job-gr.csv: g(r) of" in out
    job, space = built(Path("job.toml"))
    assert space.dim == 10
    assert job.system.density == pytest.approx(2.2, rel=1e-3)
    assert job.pressure.value == 1e3
    assert job.reference.file.name == "job-gr.csv"
    assert job.reference.angles.name == "job-angles.csv"
    # the table ends at half of their box, which is half of ours
    assert job.reference.r_max is None or job.reference.r_max <= box.cell[0, 0] / 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SiO2", "--temperature", "3600", "--density", "2.2"], "nothing to fit to"),
        (["SiO2", "--temperature", "3600", "--gr", str(GR)], "--density"),
        (["SiO2", "NaCl", "--temperature", "3600"], "one formula"),
        (["no.xyz", "--temperature", "3600"], "no.xyz: no such file"),
        ([str(GR), "--temperature", "3600"], "is a table of g(r): give the formula"),
        ([*SILICA, "--temperature", "-1"], "temperature must be positive"),
        ([*SILICA, "--temperature", "nan"], "temperature must be positive"),
        ([*SILICA, "--temperature", "1e9"], "job.toml: protocol.temperature"),
        ([*SILICA, "--density", "1e9"], "density"),
        (["Na2Si3O7", *SILICA[1:]], "Na-Na"),
        (["NaCl", *SILICA[1:]], "NaCl"),
        (["Si1e400O2", *SILICA[1:]], "formula"),
        ([*SILICA, "--potential", "nope"], "no potential 'nope'"),
        ([*SILICA, "--angles", "no.csv"], "no.csv"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(init, arguments, said):
    code, out, err = init(*arguments, "-o", "job.toml")
    assert code == 2
    assert said in err.replace("Na-Cl", "NaCl"), err
    assert err.count("\n") == 1
    assert len(err) < 300
    assert not list(Path().iterdir()), out


@pytest.mark.parametrize("name", ["BKS", "PMMCS", "SHIK", "ML", "BKS-Ewald"])
def test_every_potential_of_silica_can_begin(name, tmp_path):
    known = Known("SiO2", 2.2, 3600.0, GR, 6.0)
    (tmp_path / "job.toml").write_text(new_job(known, load_potential(name), name))
    job, space = built(tmp_path / "job.toml")
    charges = [one for one in space.names if one.startswith("q_")]
    assert charges == ["q_Si"]
    assert all(one.lower < one.upper for one in space.free)
    assert space.base.name == name
    assert job.title == "SiO2"


def test_a_long_table_is_cut_at_half_the_box_and_names_are_quoted(tmp_path):
    strange = Path('a "b" \\ c.csv')
    known = Known("Na2Si3O7", 2.4, 3000.0, strange, 40.0)
    potential = choose_potential(known)
    content = tomllib.loads(new_job(known, potential, potential.name))
    assert content["reference"]["file"] == str(strange)
    half = System("Na2Si3O7", content["system"]["atoms"], 2.4).box_length(
        {name: kind.mass for name, kind in potential.species.items()}
    )
    assert content["reference"]["r_max"] <= half / 2
    assert content["system"]["structure"] == "random"
    assert content["system"]["atoms"] <= 3000
