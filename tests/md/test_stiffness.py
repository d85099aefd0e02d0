"""Elastic constants by strains, against lattice sums of the same potential."""

import numpy as np
import pytest

from lammpsfit.md.session import session
from lammpsfit.md.stiffness import stiffness

EPSILON, SIGMA, CUTOFF = 0.0103, 3.40, 9.5
"""Argon in Lennard-Jones' form, eV and Å."""


def fcc(edge):
    return f"""units metal
atom_style charge
boundary p p p
lattice fcc {edge}
region box block 0 4 0 4 0 4
create_box 1 box
create_atoms 1 box
mass 1 39.948
pair_style lj/cut {CUTOFF}
pair_coeff 1 1 {EPSILON} {SIGMA}
run 0"""


def strained(edge):
    with session() as lmp:
        lmp.commands_string(fcc(edge))
        before = lmp.get_thermo("press")
        C = stiffness(lmp)
        after = lmp.get_thermo("press")
    return C, before, after


def sums(edge):
    """Coefficients of Birch: those of the energy at fixed places, and what the pressure adds."""
    cells = np.array([[x, y, z] for x in range(-3, 4) for y in range(-3, 4) for z in range(-3, 4)])
    basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    r = edge * np.concatenate([cells + place for place in basis])
    d = np.linalg.norm(r, axis=1)
    r, d = r[(d > 0) & (d < CUTOFF)], d[(d > 0) & (d < CUTOFF)]
    sixth, volume, gpa = (SIGMA / d) ** 6, edge**3 / 4, 160.2176634
    first = 4 * EPSILON * (6 * sixth - 12 * sixth**2) / d
    second = 4 * EPSILON * (156 * sixth**2 - 42 * sixth) / d**2
    k = gpa * (second - first / d) / d**2 / (2 * volume)
    P = -gpa * np.sum(first * d) / (6 * volume)
    xxxx = np.sum(k * r[:, 0] ** 4)
    xxyy = np.sum(k * r[:, 0] ** 2 * r[:, 1] ** 2)
    return xxxx - P, xxyy + P, xxyy - P


@pytest.mark.lammps
@pytest.mark.parametrize("edge", [5.2405, 5.0])
def test_a_crystal_is_as_stiff_as_sums_over_its_lattice_say(edge):
    C, before, after = strained(edge)
    c11, c12, c44 = sums(edge)
    expected = np.zeros((6, 6))
    expected[:3, :3], expected[range(3), range(3)] = c12, c11
    expected[range(3, 6), range(3, 6)] = c44
    # central differences over 0.2 % of strain
    assert pytest.approx(expected, rel=1e-3, abs=1e-3 * c11) == C
    assert pytest.approx(C.T) == C
    # the box is as it was
    assert after == pytest.approx(before, abs=1.0)
