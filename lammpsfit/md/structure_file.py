"""A start structure in a LAMMPS data file: whether it is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import SERIES_BYTES, read_text

COLUMNS = {"Atoms": 6, "Velocities": 4}
"""Numbers that a line of a section has at least."""


def check_structure(path: Path, atoms: int) -> None:
    """Refuse a data file that LAMMPS could not begin with, or wait for, in every run.

    Parameters
    ----------
    path
        As LAMMPS's ``write_data`` wrote it.
    atoms
        How many it must have.

    Raises
    ------
    InputError
        If it is no regular file of text, or not of so many atoms.
    """
    remedy = "remove it, and it is molten again"
    try:
        text = read_text(path, SERIES_BYTES)
    except InputError as error:
        raise InputError(f"{error}: {remedy}") from None
    if f"\n{atoms} atoms\n" not in text or any(_rows(text, name) != atoms for name in COLUMNS):
        raise InputError(f"{path}: not a whole LAMMPS data file of {atoms} atoms: {remedy}")


def _rows(text: str, section: str) -> int:
    """Return how many rows of finite numbers, of different atoms, a section has."""
    lines = text.partition(f"\n{section}")[2].split("\n")[2:]
    end = lines.index("") if "" in lines else len(lines)
    try:
        rows = np.array(
            [line.split()[: COLUMNS[section]] for line in lines[:end]], dtype=np.float64
        )
    except ValueError:
        return 0
    sound = rows.ndim == 2 and rows.shape[1] == COLUMNS[section] and bool(np.isfinite(rows).all())
    return len(np.unique(rows[:, 0])) if sound else 0
