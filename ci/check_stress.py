"""Hold the stress and the forces of a calculator beside differences of its energies, for aluminium.

    cd examples/aluminium && python ../../ci/check_stress.py espresso_pbe:dense

A plane-wave code can have one of them wrong and look sound: then labels are not of one potential.
Sheared and stretched fcc, and four atoms off their places; the last column should be 0.
"""

import sys

import numpy as np
from ase.build import bulk
from ase.units import GPa

from lammpsfit.gap.factory import build

STRAIN = 0.01
STEP = 0.02
"""Å."""


def shear(size):
    """Return a strain of xy, xz and yz."""
    return np.eye(3) + size * (np.ones((3, 3)) - np.eye(3))


def stretch(size):
    """Return a strain along x that keeps the volume."""
    return np.diag([1.0 + size, (1.0 + size) ** -0.5, (1.0 + size) ** -0.5])


STRAINS = {
    "shear": (shear, lambda stress: 6.0 * stress[3:].mean()),
    "stretch": (stretch, lambda stress: stress[0] - stress[1:3].mean()),
}
"""Strains, and the derivative of the energy in their size, per volume, by the stress."""


def main():
    calculator = build(sys.argv[1])
    for name, (strain, of_stress) in STRAINS.items():
        energies = {}
        for size in (0.0, STRAIN, 2.0 * STRAIN):
            atoms = bulk("Al", a=4.04)
            atoms.set_cell(atoms.cell.array @ strain(size), scale_atoms=True)
            atoms.calc = calculator
            energies[size] = atoms.get_potential_energy(force_consistent=True)
            if size == STRAIN:
                said, volume = of_stress(atoms.get_stress()) / GPa, atoms.get_volume()
        found = (energies[2.0 * STRAIN] - energies[0.0]) / (2.0 * STRAIN * volume) / GPa
        print(f"{name}: stress {said:.3f}, energies {found:.3f} GPa, {said / found - 1.0:+.1%}")
    atoms = bulk("Al", a=4.04, cubic=True)
    atoms.rattle(0.12, seed=2)
    atoms.calc = calculator
    said = atoms.get_forces()[1, 0]
    sides = []
    for sign in (1.0, -1.0):
        moved = atoms.copy()
        moved.positions[1, 0] += sign * STEP
        moved.calc = calculator
        sides.append(moved.get_potential_energy(force_consistent=True))
    found = -(sides[0] - sides[1]) / (2.0 * STEP)
    print(f"force: {said:.4f}, energies {found:.4f} eV/Å, {said / found - 1.0:+.1%}")


if __name__ == "__main__":
    main()
