"""Hold the stress and the forces of a calculator beside differences of its energies, for aluminium.

    cd examples/aluminium && python ../../ci/check_stress.py espresso_pbe:dense

A plane-wave code can have one of them wrong and look sound: then labels are not of one potential.
Sheared and stretched fcc, and four atoms off their places; the last column should be 0, but for
what a finite number of plane waves does to a stress.
"""

import argparse

import numpy as np
from ase.build import bulk
from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import GPa

from lammpsfit.gap.factory import build
from lammpsfit.gap.work.strain import MODES, strained

STRAIN = 0.01
STEP = 0.02
"""Å."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calculator", help="module:factory")
    calculator = build(parser.parse_args().calculator)
    for name in ("trigonal", "tetragonal"):
        compare(name, *of_strain(calculator, MODES[name]), "GPa")
    compare("force", *of_force(calculator), "eV/Å")


def compare(name, said, found, unit):
    print(f"{name}: {said:.4f}, energies {found:.4f} {unit}, {said / found - 1.0:+.1%}")


def of_strain(calculator, mode):
    """Return the derivative of the energy in the size of a strain, per volume, in GPa, twice."""

    def energy(size):
        atoms = strained(bulk("Al", a=4.04), size * mode)
        atoms.calc = calculator
        return atoms.get_potential_energy(force_consistent=True), atoms

    lower, upper = energy(0.0)[0], energy(2.0 * STRAIN)[0]
    atoms = energy(STRAIN)[1]
    stress = voigt_6_to_full_3x3_stress(atoms.get_stress())
    said = (stress * (mode @ np.linalg.inv(np.eye(3) + STRAIN * mode))).sum()
    return said / GPa, (upper - lower) / (2.0 * STRAIN * atoms.get_volume()) / GPa


def of_force(calculator):
    """Return a force on an atom, eV/Å, twice."""

    def at(shift):
        atoms = bulk("Al", a=4.04, cubic=True)
        atoms.rattle(0.12, seed=2)
        atoms.positions[1, 0] += shift
        atoms.calc = calculator
        return atoms

    upper, lower = (at(x).get_potential_energy(force_consistent=True) for x in (STEP, -STEP))
    return at(0.0).get_forces()[1, 0], (lower - upper) / (2.0 * STEP)


if __name__ == "__main__":
    main()
