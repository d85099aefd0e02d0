"""How far k-points are from converged in crystal and liquid: frames of examples/aluminium again.

Needs ``pw.x``. Usage: python ci/check_hot_kpoints.py POINTS [FRAMES]

A crystal at 1000 K and the liquid at 1100 K, the first frames of each, with POINTS^3 k-points: how
energies and forces change. What changes more in one phase moves the melting point.
"""

import sys
from pathlib import Path

import ase.io
import numpy as np

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "aluminium"
KINDS = ("npt 1000 K", "npt 1100 K, liquid")


def main():
    sys.path.insert(0, str(EXAMPLE))
    from espresso_pbe import metal

    points, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    frames = [
        frame
        for name in ("hot.extxyz", "hot_forces.extxyz")
        for frame in ase.io.read(EXAMPLE / name, ":")
    ]
    of = {kind: [a for a in frames if a.info["config_type"] == kind][:count] for kind in KINDS}
    for frames_of_kind in zip(*of.values(), strict=True):
        for kind, atoms in zip(KINDS, frames_of_kind, strict=True):
            energy, forces = atoms.info["REF_energy"], atoms.arrays["REF_forces"]
            atoms.calc = metal(points, nosym=True)
            found = atoms.get_potential_energy(force_consistent=True)
            off = np.sqrt(((atoms.get_forces() - forces) ** 2).mean())
            change = 1e3 * (found - energy) / len(atoms)
            print(f"{kind}: {change:+.2f} meV/atom, forces {off:.4f} eV/Å rms", flush=True)


if __name__ == "__main__":
    main()
