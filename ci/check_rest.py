"""How near the first step to rest of quartz is to quartz at rest: a table of docs/frames.md.

    python ci/check_rest.py

For potentials of the library that are functions of distances alone, it has the cell that the terms
``cell`` and ``elastic`` see, by one step from the cell of the file, and the cell and elastic
constants that LAMMPS finds at rest. Seconds each, on one core.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pages import at_markers

from lammpsfit.child.process import run_in_child
from lammpsfit.forcefield.library import load_potential
from lammpsfit.labelled.frames import read_frames
from lammpsfit.md.crystal import Crystal
from lammpsfit.md.read_structure import read_configuration
from lammpsfit.target.crystal_response import CrystalResponse
from lammpsfit.target.crystal_terms import GPA

ROOT = Path(__file__).resolve().parent.parent
QUARTZ = ROOT / "examples" / "silica" / "alpha_quartz.cif"
PAGE = ROOT / "docs" / "frames.md"
POTENTIALS = ("LF-Silica", "ML-ALL", "SHIK", "BKS", "CHIK", "ML")
REPEATS = 3
SECONDS = 300.0


def rows() -> Iterator[str]:
    """Make the lines of the table."""
    (crystal,) = read_frames([QUARTZ], labelled=False)
    response = CrystalResponse.of(crystal)
    a, c = response.crystal.cell[0, 0], response.crystal.cell[2, 2]
    yield "| | a, one step | a at rest | c, one step | c at rest | C33, file | C33 at rest |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for name in POTENTIALS:
        potential = load_potential(name).restricted(("Si", "O"))
        found = response.at(potential)
        task = Crystal("quartz", potential, read_configuration(QUARTZ), REPEATS)
        solid = run_in_child(task, SECONDS).solid
        cell = solid.cell / np.array(task.repeats)[:, None]
        cells = (a * (1 + found.strain[0]), cell[0, 0], c * (1 + found.strain[2]), cell[2, 2])
        moduli = (GPA * found.stiffness[2, 2], solid.stiffness[2, 2])
        words = [*(f"{x:.3f}" for x in cells), *(f"{x:.1f}" for x in moduli)]
        yield f"| {name} | {' | '.join(words)} |"


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    before, _, after = at_markers(PAGE.read_text("utf-8"), "ci/check_rest.py")
    PAGE.write_text(before + "\n" + "\n".join(rows()) + "\n" + after, "utf-8")


if __name__ == "__main__":
    main()
