import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.child.process import run_in_child
from lammpsfit.config import read_job
from lammpsfit.errors import RunError
from lammpsfit.files import write_text
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.fit.run.run_folder import create_run
from lammpsfit.forcefield import COULOMB_SUMS, dump_potential, load_potential
from lammpsfit.md import export as export_module
from lammpsfit.md.export import (
    Check,
    RunExport,
    export_potential,
    pair_forces,
)
from lammpsfit.md.melt import melted_structure

LMP = Path(sys.executable).parent / "lmp"

SILICATE = """
potential = "Teter"
reference = { file = "gr.csv" }

[system]
formula = "Na2Si6O13"
atoms = 315
density = 2.4
structure = "random"
melt = { melt = 0.3, cool = 0.1, relax = 0.1 }

[protocol]
temperature = 2900.0

[parameters]
"q_Na" = { factor = 1.2 }
"q_Si" = { factor = 1.2 }

[charges]
balance = "O"
"""


@pytest.mark.lammps
def test_an_export_runs_as_it_stands(problem, structure, tmp_path):
    check = export_potential(problem.potential, tmp_path / "out", structure, 3600.0)
    assert max(check.overlay_rms, check.combined_rms) < 1e-4
    assert check.force_rms > 1.0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "combined.table",
        "example.data",
        "in.example",
        "potential-table.lmp",
        "potential.lmp",
        "potential.toml",
        "remainder.table",
    }
    assert load_potential(str(tmp_path / "out/potential.toml")).parameters == (
        problem.potential.parameters
    )
    done = subprocess.run(
        [LMP, "-in", "in.example", "-log", "none"],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:]
    assert "Loop time" in done.stdout
    assert "WARNING" not in done.stdout


@pytest.mark.lammps
@pytest.mark.parametrize("style", COULOMB_SUMS)
def test_every_coulomb_sum_is_exported(style, problem, structure, tmp_path):
    kind = COULOMB_SUMS[style]
    given = {"cutoff": 7.5, "accuracy": 1e-6}
    values = {setting.name: given.get(setting.name, 0.25) for setting in kind.settings}
    potential = replace(problem.potential, coulomb=kind(**values), smoothing=0.2)
    check = export_potential(potential, tmp_path, structure)
    assert check.agrees
    assert check.force_rms > 1.0


@pytest.mark.lammps
def test_a_library_potential_needs_no_job(tmp_path):
    check = export_potential(load_potential("Teter"), tmp_path)
    assert check.atoms >= 300
    assert (tmp_path / "potential.lmp").exists()


@pytest.mark.lammps
def test_forces_are_compared_for_real(problem, structure, tmp_path):
    export_potential(problem.potential, tmp_path, structure)
    state = run_in_child(RunExport(tmp_path, "potential.lmp", tmp_path / "example.data"), 60.0)
    assert np.abs(state.forces.sum(axis=0)).max() < 1e-8
    other = problem.potential.replace({"C_O-O": 1.001 * 175.0})
    assert np.abs(state.forces - pair_forces(other, state)).max() > 1e-3


@pytest.mark.lammps
def test_what_does_not_agree_is_not_exported(problem, structure, tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "TABLE_POINTS", (200, 500))
    with pytest.raises(RunError, match=r"not exported: .* to 0\.0001 eV/Å rms"):
        export_potential(problem.potential, tmp_path / "out", structure)
    assert not (tmp_path / "out").exists()


@pytest.mark.lammps
def test_tables_grow_until_they_agree(problem, structure, tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "TABLE_POINTS", (500, 20000))
    assert export_potential(problem.potential, tmp_path, structure).agrees
    assert "table linear 20000" in (tmp_path / "potential-table.lmp").read_text()


def test_nan_is_no_agreement():
    assert not Check(1, 1.0, float("nan"), 0.0, 0.0, 0.0).agrees
    assert not Check(1, 1.0, 0.0, 0.0, float("nan"), 0.0).agrees
    assert Check(1, 1.0, 1e-5, 1.0, 1e-5, 1.0).agrees


@pytest.mark.lammps
@pytest.mark.parametrize("include", ["potential.lmp", "potential-table.lmp"])
def test_an_include_file_takes_metal_units_only(include, tmp_path, silica_export):
    for units in ("metal", "real", "lj", "electron", "si"):
        lines = (
            f"units {units}",
            "atom_style charge",
            "region box block 0 20 0 20 0 20",
            "create_box 2 box",
            "create_atoms 1 single 5 5 5",
            "create_atoms 2 single 6.7 5 5",
            f'variable potential_dir index "{silica_export}"',
            f'include "{silica_export}/{include}"',
            "run 0",
        )
        (tmp_path / "in.units").write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [LMP, "-in", "in.units", "-log", "none"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == (units == "metal"), output
        assert ("say 'units metal' at the top of the input" in output) == (units != "metal"), output
        assert "force values" not in output


@pytest.fixture(scope="module")
def silica_export(problem, structure, tmp_path_factory):
    """The folder of an exported potential with a table whose force has an extremum."""
    folder = tmp_path_factory.mktemp("export") / "silica"
    export_potential(problem.potential, folder, structure)
    return folder


@pytest.mark.lammps
def test_a_compound_is_exported_with_its_own_species_and_charges(lammpsfit, tmp_path):
    rule = replace(load_potential("Teter"), balance="O")
    write_text(tmp_path / "rule.toml", dump_potential(rule))
    done = lammpsfit(
        "export", tmp_path / "rule.toml", "--formula", "Na4SiO3", "-o", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    exported = load_potential(str(tmp_path / "out/potential.toml"))
    assert exported.parameters["q_O"] == pytest.approx(-1.6)
    for formula, message in {
        "SiO3": "the charges of Si1 O3 must add up to zero",
        "KSiO3": "no species 'K'",
        "Si(": "formula 'Si(' cannot be read",
    }.items():
        done = lammpsfit("export", "Teter", "--formula", formula, "-o", tmp_path / "bad")
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "bad").exists()


@pytest.fixture(scope="module")
def silicate_run(tmp_path_factory):
    """The folder of a finished fit of Na2Si6O13, the only compound that its charges fit."""
    home = tmp_path_factory.mktemp("silicate")
    species = ("Na", "Si", "O")
    pairs = [f"{a}-{b}" for i, a in enumerate(species) for b in species[i:]]
    r = 0.05 * (np.arange(160) + 0.5)
    rows = [",".join([f"{x:.4f}", *["1.0"] * len(pairs)]) for x in r]
    header = ",".join(["r_A", *(f"g_{pair}" for pair in pairs)])
    (home / "gr.csv").write_text("\n".join([header, *rows]))
    (home / "job.toml").write_text(SILICATE)
    job = read_job(home / "job.toml")
    run, problem = create_run(home / "run", job), build_problem(job)
    melted = melted_structure(problem.melt_potential, problem.system, problem.melting)
    shutil.copyfile(melted, run.structure(problem.system.atoms))
    charges = {"q_Na": 0.61, "q_Si": 2.37}
    balance = -(2 * charges["q_Na"] + 6 * charges["q_Si"]) / 13
    fitted = problem.potential.replace(charges | {"q_O": balance})
    write_text(run.potential, dump_potential(fitted))
    return run


@pytest.mark.lammps
def test_a_run_is_exported_with_its_own_compound(lammpsfit, silicate_run, tmp_path):
    done = lammpsfit("export", silicate_run.path, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "forces of 315 hot atoms" in done.stdout
    example = (tmp_path / "example.data").read_text()
    assert example == silicate_run.structure(315).read_text()
    assert "temp 2900.0 2900.0" in (tmp_path / "in.example").read_text()
    exported = load_potential(str(tmp_path / "potential.toml"))
    assert exported == load_potential(str(silicate_run.potential))


@pytest.mark.lammps
def test_a_fitted_potential_alone_has_no_small_compound(lammpsfit, silicate_run, tmp_path):
    done = lammpsfit("export", silicate_run.potential, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "up to 12 atoms of each of Na, Si, O" in done.stderr
    assert "export the run folder of its fit" in done.stderr
    assert "say the compound with --formula" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.lammps
def test_an_export_is_exported_again(lammpsfit, tmp_path):
    """Its folder holds a potential, but no job."""
    potential = load_potential("CHIK")
    write_text(tmp_path / "potential.toml", dump_potential(potential))
    done = lammpsfit("export", tmp_path, "-o", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert load_potential(str(tmp_path / "again/potential.toml")) == potential


@pytest.mark.lammps
def test_a_run_without_its_start_structure_is_exported(lammpsfit, finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    for start in (tmp_path / "run/inputs").glob("start-*.data"):
        start.unlink()
    done = lammpsfit("export", tmp_path / "run", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "temp 3600.0 3600.0" in (tmp_path / "out/in.example").read_text()
