"""Trajectories of LAMMPS: text dumps in Å (units metal or real).

ASE reads each frame: any box, coordinates scaled, unwrapped or neither.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.io.lammpsrun import read_lammps_dump_text

from lammpsfit.errors import InputError
from lammpsfit.inputs import one_line, quoted
from lammpsfit.reference.frame import CUT_SHORT, MOST_ATOMS, EndsEarly, Frame, Hints, check_count

_BEGIN = "ITEM: TIMESTEP"
_HEADER: Final = 30
"""More lines than stand above the atoms of a frame."""

_HEAD = re.compile(r"ITEM: (\w+)")


def read_dump(path: Path, lines: Iterator[str], hints: Hints) -> Iterator[Frame]:
    """Yield the frames of a dump.

    The species are those of the hints by type; without, those of the column ``element``.
    """
    for number, rows in enumerate(_split(path, lines), start=1):
        where = f"{path}, frame {number}"
        columns = _columns(rows, where)
        atoms = _atoms("".join(rows), where)
        if not atoms.pbc.all():
            raise InputError(f"{where}: the box must be periodic, got boundaries {atoms.pbc}")
        # the origin of the box stays where it is: only differences of positions matter
        species = _species(atoms, columns, hints, where)
        yield Frame(species, atoms.positions, np.array(atoms.cell), step=_step(rows, where))


def _split(path: Path, lines: Iterator[str]) -> Iterator[list[str]]:
    rows: list[str] = []
    number = 0
    for line in lines:
        if line.startswith(_BEGIN):
            if rows:
                yield rows
            rows, number = [], number + 1
        if rows or line.startswith(_BEGIN):  # units and time stand before the first step
            rows.append(line)
        if len(rows) > MOST_ATOMS + _HEADER:
            raise InputError(f"{path}, frame {number}: more than {MOST_ATOMS} atoms")
    if rows:
        yield rows


def _step(rows: list[str], where: str) -> int:
    try:
        return int(rows[1])
    except ValueError:
        raise InputError(f"{where}: the step must be a number, got {quoted(rows[1])}") from None


def _columns(lines: list[str], where: str) -> list[str]:
    """Check that a frame is complete, and name its columns."""
    found = [(head[1], k) for k, line in enumerate(lines) if (head := _HEAD.match(line))]
    heads = dict(found)
    if len(heads) < len(found):  # the next frame begins within a line
        raise InputError(f"{where}: {CUT_SHORT}")
    if "ATOMS" not in heads or "NUMBER" not in heads:
        raise EndsEarly
    try:
        n = int(lines[heads["NUMBER"] + 1])
    except (ValueError, IndexError):
        n = -1
    if n < 0:
        raise InputError(f"{where}: the number of atoms is none")
    check_count(n, where)
    rows = lines[heads["ATOMS"] + 1 :][:n]
    columns = lines[heads["ATOMS"]].split()[2:]
    if len(rows) < n or (rows and not rows[-1].endswith("\n")):
        raise EndsEarly
    return columns


def _atoms(text: str, where: str) -> Atoms:
    try:
        atoms: Atoms = read_lammps_dump_text(io.StringIO(text), index=0)
    except KeyError as error:
        raise InputError(f"{where}: {error} is no chemical symbol or no column") from None
    except (ValueError, IndexError, RuntimeError, TypeError) as error:
        raise InputError(f"{where}: no frame of a dump: {one_line(str(error))}") from None
    return atoms


def _species(atoms: Atoms, columns: list[str], hints: Hints, where: str) -> tuple[str, ...]:
    if not hints.types:
        if "element" in columns:
            return tuple(atoms.get_chemical_symbols())
        types = sorted(set(atoms.arrays.get("type", np.zeros(0, dtype=int)).tolist()))
        example = ",".join(f"{kind}=..." for kind in types) or "1=..."
        raise InputError(f"{where}: no element column: say what the types are, --species {example}")
    if "type" not in columns:
        raise InputError(f"{where}: no type column that --species could name")
    types = atoms.arrays["type"].tolist()
    if unknown := sorted(set(types) - set(hints.types)):
        raise InputError(
            f"{where}: type {', '.join(map(str, unknown))} has no species: add it to --species"
        )
    return tuple(hints.types[kind] for kind in types)
