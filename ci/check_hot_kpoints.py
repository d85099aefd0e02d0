"""How far k-points are from converged: frames of examples/aluminium again, with more of them.

Needs ``pw.x``. Usage: python ci/check_hot_kpoints.py POINTS... [--set sigma5] [--frames 2]

Crystals at 1000 K and the liquid at 1100 K, the first frames of each, with POINTS^3 k-points (or
three numbers): how energies and forces change. What changes more in one phase moves the melting
point. ``--set`` takes the first frames of one of the sets for learning curves instead.
"""

import argparse
import sys

import ase.io
import numpy as np
from gap_at_work import EXAMPLE, hot_frames

KINDS = ("npt 1000 K", "npt 1100 K, liquid")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("points", type=int, nargs="+", help="k-points along each axis")
    parser.add_argument("--set", help="of examples/aluminium/sets")
    parser.add_argument("--frames", type=int, default=2, help="of each phase, or of the set")
    options = parser.parse_args()
    if len(options.points) not in (1, 3):
        parser.error("POINTS is one number or three")
    sys.path.insert(0, str(EXAMPLE))
    from espresso_pbe import metal

    points = tuple(options.points * 3)[:3]
    waves = 20.0 if options.set is None else 16.0
    for kind, atoms in chosen(options.set, options.frames):
        energy, forces = atoms.info["REF_energy"], atoms.arrays["REF_forces"]
        atoms.calc = metal(points, waves=waves, nosym=True)
        found = atoms.get_potential_energy(force_consistent=True)
        off = np.sqrt(((atoms.get_forces() - forces) ** 2).mean())
        change = 1e3 * (found - energy) / len(atoms)
        print(f"{kind}: {change:+.2f} meV/atom, forces {off:.4f} eV/Å rms", flush=True)


def chosen(name, count):
    """Return kinds and frames, kinds in turn."""
    if name is not None:
        frames = ase.io.read(EXAMPLE / "sets" / f"{name}.extxyz", f":{count}")
        return [(atoms.info["config_type"], atoms) for atoms in frames]
    frames = hot_frames()
    of = {kind: [a for a in frames if a.info["config_type"] == kind][:count] for kind in KINDS}
    return [(kind, of[kind][k]) for k in range(count) for kind in KINDS]


if __name__ == "__main__":
    main()
