"""A potential as the lines of a LAMMPS input, with its table written where LAMMPS finds it."""

from pathlib import Path
from typing import Literal

from lammpsfit.forcefield import Potential
from lammpsfit.forcefield.lammps_text import (
    charge_lines,
    combined_pair_lines,
    mass_lines,
    overlay_pair_lines,
    table_text,
)

Realisation = Literal["combined", "overlay"]
"""``"combined"``: one table per pair, fast. ``"overlay"``: the styles people read and edit."""


def species_lines(potential: Potential) -> str:
    """Masses and charges as LAMMPS lines."""
    return "\n".join([*mass_lines(potential), *charge_lines(potential)])


def pair_lines(potential: Potential, realisation: Realisation, folder: Path) -> str:
    """Write the table of a potential into `folder`, and return its pair lines."""
    if realisation == "combined":
        table = folder / "combined.table"
        table.write_text(table_text(potential, "combined"), encoding="utf-8")
        return "\n".join(combined_pair_lines(potential, str(table)))
    table = folder / "remainder.table"
    table.write_text(table_text(potential, "remainder"), encoding="utf-8")
    return "\n".join(overlay_pair_lines(potential, str(table)))
