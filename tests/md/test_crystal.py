"""Crystals at rest: cell and elastic constants against literature and lattice sums."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.forcefield import load_potential
from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.md import crystal
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.crystal import Crystal, lattice
from lammpsfit.md.read_structure import read_configuration, true_density
from lammpsfit.units import COULOMB_CONSTANT

SILICA = Path(__file__).parents[2] / "examples" / "silica"
EPSILON, SIGMA = 0.02, 2.0
"""eV and Å, so that the cutoff is 6 sigma: the pairs beyond are half a per cent of the cohesion."""

ARGON = f"""
name = "argon"
cutoff = {6 * SIGMA}

[species.Ar]
mass = 39.948
charge = 0.0

[pairs.Ar-Ar]
lennard-jones = {{ epsilon = {EPSILON}, sigma = {SIGMA} }}
"""

N, C, MADELUNG = 9, 3000.0, 1.7475646
SALT = """
name = "salt"
cutoff = 3.6

[coulomb]
style = "pppm"
cutoff = 6.0
accuracy = 1e-6

[species.Na]
mass = 22.99
charge = 1.0

[species.Cl]
mass = 35.45
charge = -1.0

[pairs.Na-Cl]
power = {{ C = {C}, n = {n} }}
"""

A6, A12 = 14.45392, 12.13188
"""Lattice sums of fcc in units of the nearest distance (Jones and Ingham, Proc. R. Soc. A 107, 636
(1925), doi:10.1098/rspa.1925.0047)."""

FCC = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


def test_lattice_parameters_are_those_of_the_vectors():
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    hexagonal = np.array([[3.0, 0, 0], [-1.5, 1.5 * 3**0.5, 0], [0, 0, 5.0]])
    assert lattice(hexagonal @ turned) == pytest.approx([3, 3, 5, 90, 90, 120])


@pytest.mark.lammps
def test_argon_has_the_cell_and_the_modulus_of_literature():
    """From a box that is neither cubic nor of the right size; zero pressure makes C12 = C44."""
    bent = np.array([[3.3, 0, 0], [0.05, 3.2, 0], [0, 0.03, 3.25]])
    cell = Configuration.of(["Ar"] * 4, FCC @ bent, bent)
    task = Crystal("argon", parse_potential(ARGON, "argon"), cell, 3)
    found = task()
    nearest = (2 * A12 / A6) ** (1 / 6) * SIGMA
    a = nearest * 2**0.5
    assert task.lattice(found.solid) == pytest.approx([a, a, a, 90, 90, 90], rel=2e-3)
    assert found.series.energy[0] == pytest.approx(-EPSILON * A6**2 / A12 / 2, rel=8e-3)
    assert found.series.pressure[0] == pytest.approx(0, abs=1e4 * crystal.STRESS)
    C = found.solid.stiffness
    bulk = 4 * EPSILON / SIGMA**3 * A12 * (A6 / A12) ** 2.5 * 160.2176634  # GPa
    assert (C[0, 0] + 2 * C[0, 1]) / 3 == pytest.approx(bulk, rel=0.02)
    expected = np.zeros((6, 6))
    expected[:3, :3], expected[range(3), range(3)] = C[0, 1], C[0, 0]
    expected[range(3, 6), range(3, 6)] = C[0, 1]
    assert pytest.approx(expected, abs=0.01 * C[0, 0]) == C


@pytest.mark.lammps
def test_quartz_is_that_of_the_paper_of_bks(monkeypatch):
    """B. W. H. van Beest, G. J. Kramer and R. A. van Santen, doi:10.1103/PhysRevLett.64.1955."""
    monkeypatch.setattr(crystal, "ACROSS", 8.0)
    cell = read_configuration(SILICA / "alpha_quartz.cif")
    assert true_density(cell) == pytest.approx(2.648, abs=0.003)
    task = Crystal("quartz", load_potential("BKS-Ewald").restricted(("Si", "O")), cell, 3)
    found = task()
    assert task.repeats == (2, 2, 2)
    expected = [4.941, 4.941, 5.449, 90, 90, 120]
    assert task.lattice(found.solid) == pytest.approx(expected, rel=2e-3)
    C = found.solid.stiffness
    paper = {(0, 0): 90.6, (2, 2): 107.0, (3, 3): 50.2, (5, 5): 41.2, (0, 1): 8.1, (0, 2): 15.2}
    for place, value in paper.items():
        assert C[place] == pytest.approx(value, abs=2.0)
    assert abs(C[0, 3]) == pytest.approx(17.6, abs=1.0)
    # the symmetry of a trigonal crystal
    assert C[0, 0] == pytest.approx(C[1, 1], abs=0.5)
    assert C[1, 3] == pytest.approx(-C[0, 3], abs=0.5)
    assert C[4, 5] == pytest.approx(C[0, 3], abs=0.5)
    assert C[5, 5] == pytest.approx((C[0, 0] - C[0, 1]) / 2, abs=0.5)


@pytest.mark.lammps
def test_an_ewald_sum_follows_a_box_that_was_at_right_angles(monkeypatch):
    """Rock salt of Born and Lande: charges, and a wall between nearest neighbours only."""
    monkeypatch.setattr(crystal, "ACROSS", 8.0)
    potential = parse_potential(SALT.format(n=N, C=C), "salt")
    attraction = MADELUNG * COULOMB_CONSTANT
    nearest = (6 * N * C / attraction) ** (1 / (N - 1))
    a = 2.05 * nearest
    places = a * np.concatenate([FCC, FCC + np.array([0.5, 0, 0])])
    cell = Configuration.of(("Na",) * 4 + ("Cl",) * 4, places, a * np.eye(3))
    task = Crystal("salt", potential, cell, 3)
    found = task()
    expected = [2 * nearest] * 3 + [90] * 3
    assert task.lattice(found.solid) == pytest.approx(expected, rel=1e-3)
    energy = -attraction * (1 - 1 / N) / nearest / 2  # of an atom
    assert found.series.energy[0] == pytest.approx(energy, rel=1e-3)
    stiff = found.solid.stiffness
    bulk = (N - 1) * attraction / (18 * nearest**4) * 160.2176634  # GPa
    assert (stiff[0, 0] + 2 * stiff[0, 1]) / 3 == pytest.approx(bulk, rel=0.01)


def test_a_crystal_must_fit_the_potential():
    potential = load_potential("BKS").restricted(("Si", "O"))
    quartz = read_configuration(SILICA / "alpha_quartz.cif")
    with pytest.raises(InputError, match=r"salt: the crystal has 'Na', the system only Si, O"):
        Crystal("salt", potential, replace(quartz, species=("Na", "O")), 1)
    with pytest.raises(InputError, match=r"x: the crystal must be neutral, got a charge of -"):
        Crystal("x", potential, replace(quartz, types=np.ones(9, dtype=np.int64)), 1)
