from dataclasses import replace

import pytest

from lammpsfit.errors import RunError
from lammpsfit.files import cache_folder
from lammpsfit.md.melt import melted_structure
from lammpsfit.md.read_structure import read_configuration


@pytest.mark.lammps
def test_a_structure_is_molten_once(problem, structure, monkeypatch):
    monkeypatch.setattr("lammpsfit.md.melt.run_in_child", None)
    told = []
    melted = problem.melted(tell=told.append)
    assert melted == structure
    assert told == []
    assert melted.parent == cache_folder()
    assert "Velocities" in structure.read_text()


@pytest.mark.lammps
def test_another_seed_is_another_structure(problem, structure):
    told = []
    other = replace(problem, melting=replace(problem.melting, seed=2)).melted(tell=told.append)
    assert told == ["melting 306 atoms of SiO2 to begin with: 0.5 ps, once"]
    assert other != structure
    assert other.read_text() != structure.read_text()


@pytest.mark.lammps
def test_a_crystal_that_stays_one_is_refused_and_leaves_nothing(problem):
    system = replace(problem.system, atoms=648)
    melting = replace(problem.melting, structure="beta-cristobalite")
    before = set(cache_folder().iterdir())
    with pytest.raises(RunError, match=r"did not melt: .* spacing \(2\.47 Å rms\), got 0\."):
        melted_structure(problem.melt_potential, system, melting)
    assert set(cache_folder().iterdir()) == before


@pytest.mark.lammps
def test_a_structure_cools_at_a_pressure_in_a_box_that_changes(problem, structure):
    def volume(melting):
        return read_configuration(replace(problem, melting=melting).melted()).volume

    given = read_configuration(structure).volume
    light, dense = (volume(replace(problem.melting, pressure=P)) for P in (0.0, 2e5))
    assert dense < 0.97 * given
    assert dense < 0.97 * light
