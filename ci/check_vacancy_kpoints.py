"""What k-points change in the energy of a vacancy in 32 atoms of aluminium, by Quantum ESPRESSO.

    python ci/check_vacancy_kpoints.py 4 6 [--shift] [--edge 4.0427]

prints the energy of a vacancy, the atoms about it at rest on their lattice sites, with n x n x n
k-points, half a step off with --shift, and by how much the crystal lies above one of a single atom
with 24x24x24 of them. At 4x4x4 relaxation lowers the vacancy by 0.066 eV: what this prints less
that of examples/aluminium/vacancy_dft.json.
"""

import argparse
import os
import sys
import tempfile

from ase.build import bulk
from gap_at_work import EXAMPLE


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("points", type=int, nargs="+")
    parser.add_argument("--shift", action="store_true")
    parser.add_argument("--edge", type=float, default=4.0427, help="Å")
    options = parser.parse_args()
    sys.path.insert(0, str(EXAMPLE))
    from espresso_pbe import metal, primitive

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        one = energy(bulk("Al", "fcc", a=options.edge), primitive())
        for n in options.points:
            whole = bulk("Al", "fcc", a=options.edge, cubic=True).repeat(2)
            less = whole.copy()
            del less[0]
            calculator = metal((n, n, n), shift=int(options.shift), conv_thr=1e-8)
            crystal, hole = (energy(atoms, calculator) for atoms in (whole, less))
            above = 1e3 * (crystal / len(whole) - one)
            vacancy = hole - crystal * len(less) / len(whole)
            print(f"{n}x{n}x{n}: {vacancy:.4f} eV, crystal {above:+.1f} meV/atom", flush=True)


def energy(atoms, calculator):
    """Return the free energy, eV."""
    atoms.calc = calculator
    return atoms.get_potential_energy(force_consistent=True)


if __name__ == "__main__":
    main()
