"""Exported models as ASE's calculators: forces by the plugin, whatever moves the atoms."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ase.calculators.calculator import BaseCalculator

from lammpsfit.errors import InputError
from lammpsfit.md.session import load_mpi


def plain(folder: Path) -> str:
    """Return the whole name of a folder as LAMMPS's commands can have it.

    Raises
    ------
    InputError
        If they cannot.
    """
    place = str(folder.resolve())
    if not place.isascii() or set(place) & set(" \t\"'$&#"):
        raise InputError(f"{place}: LAMMPS cannot read from a folder of this name")
    return place


def plugin_calculator(folder: Path, species: Sequence[str]) -> BaseCalculator:
    """Return the calculator of a folder that :func:`~lammpsfit.gap.lammps.export.exported` made.

    LAMMPS runs in this process: for atoms by the thousand, where
    :class:`~lammpsfit.gap.calculator.GapCalculator` takes long.

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
    place = plain(folder)
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
