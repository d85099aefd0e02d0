"""How far k-points are from converged in crystal and liquid: frames of examples/aluminium again.

Needs ``pw.x``. Usage: python ci/check_hot_kpoints.py POINTS [--frames 2]

A crystal at 1000 K and the liquid at 1100 K, the first frames of each, with POINTS^3 k-points: how
energies and forces change. What changes more in one phase moves the melting point.
"""

import argparse
import sys

import numpy as np
from gap_at_work import EXAMPLE, hot_frames

KINDS = ("npt 1000 K", "npt 1100 K, liquid")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("points", type=int, help="k-points along each axis")
    parser.add_argument("--frames", type=int, default=2, help="of each phase")
    options = parser.parse_args()
    sys.path.insert(0, str(EXAMPLE))
    from espresso_pbe import metal

    frames, count = hot_frames(), options.frames
    of = {kind: [a for a in frames if a.info["config_type"] == kind][:count] for kind in KINDS}
    for frames_of_kind in zip(*of.values(), strict=True):
        for kind, atoms in zip(KINDS, frames_of_kind, strict=True):
            energy, forces = atoms.info["REF_energy"], atoms.arrays["REF_forces"]
            atoms.calc = metal((options.points,) * 3, nosym=True)
            found = atoms.get_potential_energy(force_consistent=True)
            off = np.sqrt(((atoms.get_forces() - forces) ** 2).mean())
            change = 1e3 * (found - energy) / len(atoms)
            print(f"{kind}: {change:+.2f} meV/atom, forces {off:.4f} eV/Å rms", flush=True)


if __name__ == "__main__":
    main()
