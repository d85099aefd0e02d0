"""How far k-points are from converged for aluminium: energy, and the stress of a sheared cell.

Needs GPAW. Usage: python ci/check_gap_kpoints.py [4 6 8 12]
"""

import sys

import numpy as np
from ase.build import bulk
from ase.units import GPa
from gpaw import GPAW, PW, FermiDirac

SHEAR = 0.02
WIDTH = 0.1


def main():
    sheared = np.eye(3)
    sheared[1, 2] = sheared[2, 1] = SHEAR / 2
    for k in map(int, sys.argv[1:] or ["4", "6", "8", "12"]):
        atoms = bulk("Al", cubic=True, a=4.05)
        energy, _ = computed(atoms, k)
        atoms.set_cell(atoms.cell.array @ sheared, scale_atoms=True)
        _, stress = computed(atoms, k)
        print(f"{k}x{k}x{k}: {energy:.5f} eV/atom, yz stress {stress[3] / GPa:+.3f} GPa")


def computed(atoms, k):
    atoms.calc = GPAW(
        mode=PW(300),
        xc="PBE",
        kpts={"size": (k, k, k)},
        occupations=FermiDirac(WIDTH),
        nbands="130%",
        convergence={"density": 1e-4, "eigenstates": 1e-6, "energy": 1e-4},
        txt=None,
    )
    energy = atoms.get_potential_energy(force_consistent=True) / len(atoms)
    return energy, atoms.get_stress()


if __name__ == "__main__":
    main()
