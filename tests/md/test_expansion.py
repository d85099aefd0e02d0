"""A solid that is heated and cooled: its expansion is that of its lattice."""

import numpy as np
import pytest

from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.md.expansion import Expansion
from lammpsfit.md.observation import Solid
from lammpsfit.md.observe import Quench
from lammpsfit.md.protocol import Protocol
from lammpsfit.structure.blocks import block_estimate
from lammpsfit.structure.expansion import linear_expansion
from lammpsfit.units import BOLTZMANN_CONSTANT

EPSILON, SIGMA = 0.02, 2.0
ARGON = f"""
name = "argon"
cutoff = {3 * SIGMA}

[species.Ar]
mass = 39.948
charge = 0.0

[pairs.Ar-Ar]
lennard-jones = {{ epsilon = {EPSILON}, sigma = {SIGMA} }}
"""
A6, A12 = 14.45392, 12.13188
"""Lattice sums of fcc (Jones and Ingham, doi:10.1098/rspa.1925.0047)."""

FCC = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
NEAREST = (2 * A12 / A6) ** (1 / 6) * SIGMA
COLD, HOT = 12.0, 36.0
PROTOCOL = Protocol(
    300.0, relax=1.0, sample=4.0, timestep_fs=2.0, every_fs=20.0, blocks=8, barostat=0.2
)


def task(temperatures):
    edge = NEAREST * 2**0.5
    cells = np.array(list(np.ndindex(3, 3, 3)))
    positions = edge * (cells[:, None] + FCC).reshape(-1, 3)
    solid = Solid(("Ar",) * 108, positions, 3 * edge * np.eye(3), np.zeros((6, 6)))
    quench = Quench(100.0, COLD, 0.0)
    return Expansion(parse_potential(ARGON, "a"), PROTOCOL, quench, temperatures, solid, 3)


def test_it_goes_up_first_and_measures_on_the_way_down():
    one = task((36.0, 20.0, 12.0, 2.0))
    assert one.stages == [(12, 36, 120), (36, 20, 80), (20, 12, 40), (12, 2, 50)]
    assert one.steps == 120 + 80 + 40 + 50 + 4 * (500 + 2000)
    assert task((12.0, 2.0)).stages == [(12, 12, 0), (12, 2, 50)]


@pytest.mark.lammps
def test_argon_expands_as_its_grueneisen_parameter_says():
    """α = γ n k / B of a classical crystal when cold; γ = 19/6 for neighbours in this form."""
    found = task((HOT, COLD))()
    series = found.series
    hot, cold = (np.split(values, 2) for values in (series.temperature, series.density))
    assert [part.mean() for part in hot] == pytest.approx([HOT, COLD], rel=0.1)
    densities = [block_estimate(part, series.blocks // 2) for part in cold]
    alpha = linear_expansion((HOT, COLD), densities)
    bulk = 4 * EPSILON / SIGMA**3 * A12 * (A6 / A12) ** 2.5
    expected = 19 / 6 * (2**0.5 / NEAREST**3) * BOLTZMANN_CONSTANT / bulk
    assert 0 < alpha.error < 0.15 * expected
    assert alpha.mean == pytest.approx(expected, abs=3 * alpha.error + 0.15 * expected)
    assert abs(series.pressure.mean()) < 3000
