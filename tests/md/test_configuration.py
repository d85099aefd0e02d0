import numpy as np
import pytest
from scipy.spatial import KDTree

from lammpsfit.errors import InputError
from lammpsfit.md.configuration import beta_cristobalite, build, random_packing
from lammpsfit.md.system import System

MASSES = {"Si": 28.0855, "O": 15.9994}


def test_beta_cristobalite_has_four_oxygens_round_each_silicon():
    system = System("SiO2", 648, 2.2)
    length = system.box_length(MASSES)
    crystal = beta_cristobalite(system, length)
    silicon, oxygen = (crystal.positions[crystal.types == kind] for kind in (0, 1))
    assert (len(silicon), len(oxygen)) == (216, 432)
    # Si-O is sqrt(3)/8 of the conventional cell's edge
    bond = np.sqrt(3) / 8 * length / 3
    near = KDTree(oxygen, boxsize=length).query_ball_point(silicon, bond + 1e-6)
    assert {len(found) for found in near} == {4}
    distances, _ = KDTree(silicon, boxsize=length).query(oxygen, k=2)
    assert distances == pytest.approx(np.full((432, 2), bond))


def test_the_formula_may_name_the_anion_first():
    crystal = beta_cristobalite(System("O2Si", 24, 2.2), 7.16)
    assert crystal.species == ("O", "Si")
    assert np.bincount(crystal.types).tolist() == [16, 8]


@pytest.mark.parametrize(
    ("formula", "atoms", "message"),
    [("SiO2", 300, r"24 n³ atoms \(192, 648"), ("Na2Si3O7", 24, r"AB2 compounds")],
)
def test_beta_cristobalite_refuses_what_it_is_not(formula, atoms, message):
    with pytest.raises(InputError, match=message):
        beta_cristobalite(System(formula, atoms, 2.2), 10.0)


def test_random_packing_keeps_atoms_apart_and_repeats():
    system = System("Na2Si3O7", 240, 2.5)
    first, again = (random_packing(system, 15.0, seed=4) for _ in range(2))
    assert np.array_equal(first.positions, again.positions)
    assert np.array_equal(first.types, again.types)
    assert not np.array_equal(first.positions, random_packing(system, 15.0, seed=5).positions)
    nearest = KDTree(first.positions, boxsize=15.0).query(first.positions, k=2)[0][:, 1]
    assert nearest.min() > 1.5
    assert np.bincount(first.types).tolist() == list(system.counts.values())


def test_a_data_file_keeps_every_digit(tmp_path):
    system = System("SiO2", 24, 2.2)
    crystal = build(system, "random", 7.16, seed=1)
    crystal.write(tmp_path / "x.data", MASSES, {"Si": 2.4, "O": -1.2})
    atoms = (tmp_path / "x.data").read_text().split("Atoms # charge")[1].split("Velocities")[0]
    rows = [line.split() for line in atoms.splitlines() if line.strip()]
    assert np.array_equal(np.array([row[3:] for row in rows], dtype=float), crystal.positions)
    assert sum(float(row[2]) for row in rows) == pytest.approx(0.0)


def test_a_packing_is_that_of_the_runs_that_are_there():
    """Start structures are made again where a run goes on: species are dealt out as ever."""
    packing = random_packing(System("SiO2", 306, 2.2), 16.6, seed=3)
    assert packing.types[:12].tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0]
    assert packing.positions[0] == pytest.approx([1.421776, 3.931054, 13.301156])
