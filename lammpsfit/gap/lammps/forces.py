"""Exported models as ASE's calculators: forces by the plugin, whatever moves the atoms."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ase.calculators.calculator import BaseCalculator

from lammpsfit.errors import InputError
from lammpsfit.md.session import load_mpi


def plugin_calculator(folder: Path, species: Sequence[str]) -> BaseCalculator:
    """Return the calculator of a folder that :func:`~lammpsfit.gap.lammps.export.exported` made.

    LAMMPS runs in this process. Atoms by the thousand are done some ten times as fast as by
    :class:`~lammpsfit.gap.calculator.GapCalculator`.

    Parameters
    ----------
    folder
        With ``potential.lmp``.
    species
        Of the model, in its order.

    Raises
    ------
    InputError
        If LAMMPS would not understand the name of the folder.
    """
    place = str(folder.resolve())
    if not place.isascii() or set(place) & set(" \t\"'$&#"):
        raise InputError(f"{place}: LAMMPS cannot read from a folder of this name")
    load_mpi()
    lammpslib = import_module("ase.calculators.lammpslib")
    calculator: BaseCalculator = lammpslib.LAMMPSlib(
        lmpcmds=[
            "plugin clear",
            f"variable potential_dir index {place}",
            f"include {place}/potential.lmp",
        ],
        atom_types={symbol: k for k, symbol in enumerate(species, 1)},
        log_file=None,
    )
    return calculator
