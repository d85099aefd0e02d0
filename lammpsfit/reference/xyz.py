"""Trajectories in xyz: extended xyz, and those of CP2K with their cell file.

ASE reads each frame; the file is split here, so that one frame is in memory at a time.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.io.extxyz import XYZError, read_xyz

from lammpsfit.errors import InputError
from lammpsfit.inputs import SERIES_BYTES, one_line, open_input, quoted, shown, text_lines
from lammpsfit.reference.frame import CUT_SHORT, EndsEarly, FloatArray, Frame, Hints, check_count

PS_PER_FS: Final = 1e-3

_LATTICE = re.compile(r"(?<![^\s])Lattice\s*=")
_STEP = re.compile(r"\bi\s*=\s*(\d{1,18})\b")
_TIME = re.compile(r"\btime\s*=\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)(?![\w.])")


def read_xyz_frames(path: Path, lines: Iterator[str], hints: Hints) -> Iterator[Frame]:
    """Yield the frames of an xyz file.

    The cell is that of the frame (``Lattice="..."``); else what the hints say; else that of the
    cell file CP2K writes beside ``NAME-pos-1.xyz``, ``NAME-1.cell``.
    """
    cells = None
    for number, (count, given, rows) in enumerate(split_frames(path, lines), start=1):
        where = f"{path}, frame {number}"
        comment = spelt_as_ase(given)
        own = _LATTICE.search(comment) is not None
        # the comment of a plain xyz is anything: ASE is to read it only where it means something
        kept = comment if own or "Properties=" in comment else "\n"
        atoms = atoms_of("".join([f"{count}\n", kept, *rows]), where)
        step, time = _STEP.search(comment), _TIME.search(comment)
        if own:
            if not atoms.pbc.all():
                raise InputError(f"{where}: must be periodic in all directions, got {atoms.pbc}")
            cell = np.array(atoms.cell)
        else:
            cells = cells or _cells(path, hints)
            cell = cells.at(int(step[1]) if step else None, number, where)
        yield Frame(
            tuple(atoms.get_chemical_symbols()),
            atoms.positions,
            cell,
            _float(time[1]) * PS_PER_FS if step and time and not own else None,
            int(step[1]) if step and time and not own else None,
        )


def spelt_as_ase(comment: str) -> str:
    """Spell the keys of extended xyz as ASE does; GPUMD writes them in any case.

    Examples
    --------
    >>> spelt_as_ase('lattice="5 0 0 0 5 0 0 0 5" properties=species:S:1:pos:R:3')
    'Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3'
    """
    for key in ("Lattice", "Properties"):
        comment = re.sub(rf"(?<![^\s]){key}(?=\s*=)", key, comment, flags=re.IGNORECASE)
    return comment


def _float(text: str) -> float:
    """Read a number of Fortran, where the exponent of a double is D."""
    return float(text.upper().replace("D", "E"))


def split_frames(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Split an xyz file into frames: number of atoms, comment, lines of atoms.

    Raises
    ------
    EndsEarly
        If it ends within a frame.
    InputError
        If a frame does not begin with a number of atoms, or does within another.
    """
    number = 0
    for line in lines:
        if not line.strip():
            continue
        number += 1
        where = f"{path}, frame {number}"
        if not re.fullmatch(r"[0-9]{1,18}", line.strip()):
            raise InputError(
                f"{where}: must begin with the number of atoms, got {quoted(line.strip())}"
            )
        count = check_count(int(line), where)
        comment = next(lines, "")
        rows = list(islice(lines, count))
        if any(row.strip().isdecimal() and row.endswith("\n") for row in rows):
            raise InputError(f"{where}: {CUT_SHORT}")
        if len(rows) < count or (rows and not rows[-1].endswith("\n")):
            raise EndsEarly
        yield count, comment, rows


def atoms_of(text: str, where: str) -> Atoms:
    """Return the atoms of one frame of extended xyz, as ASE reads it.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return next(read_xyz(io.StringIO(text), index=0))
    except KeyError as error:
        raise InputError(
            f"{where}: {error} is no chemical symbol: rename the atoms to elements"
        ) from None
    except (XYZError, ValueError, IndexError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(f"{where}: no frame of an xyz file: {one_line(str(error))}") from None


class _Cells:
    """The cells of the frames of a file, one for all or by the step of CP2K."""

    def __init__(self, by_step: Mapping[int | None, FloatArray], source: str) -> None:
        self._by_step = by_step
        self._source = source
        first = next(iter(by_step.values()))
        self._one = first if all(np.array_equal(cell, first) for cell in by_step.values()) else None

    def at(self, step: int | None, number: int, where: str) -> FloatArray:
        if self._one is not None:
            return self._one
        if step is None:
            raise InputError(
                f"{where}: {self._source} gives the cell by step, but the comment has no 'i = ...'"
            )
        if step not in self._by_step:
            raise InputError(
                f"{where}: {self._source} has no cell of step {step}: CP2K must print cell and "
                f"positions equally often"
            )
        return self._by_step[step]


def _cells(path: Path, hints: Hints) -> _Cells:
    if hints.cell is not None:
        if re.search("[A-Za-z]", hints.cell.replace("e", "").replace("E", "")):
            return _cell_file(Path(hints.cell))
        return _Cells({None: parse_cell(hints.cell)}, "--cell")
    beside = re.sub(r"-pos-(\d+)\.xyz(\.gz)?$", r"-\1.cell", path.name)
    if beside != path.name and path.with_name(beside).exists():
        return _cell_file(path.with_name(beside))
    raise InputError(
        f"{path}: no cell: give --cell a,b,c in Å (or a,b,c,α,β,γ, the nine numbers of the cell "
        f"vectors, or the .cell file of CP2K)"
    )


def parse_cell(text: str) -> FloatArray:
    """Read a cell given as three, six or nine numbers.

    Parameters
    ----------
    text : str
        Lengths in Å; lengths and angles in degrees; or the cell vectors, one after the other.

    Returns
    -------
    ndarray, shape (3, 3), Å

    Raises
    ------
    InputError
        If it is no cell.

    Examples
    --------
    >>> parse_cell("4,5,6").diagonal()
    array([4., 5., 6.])
    """
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (3, 6, 9) or not all(map(math.isfinite, numbers)):
        raise InputError(
            f"a cell must be a,b,c in Å, a,b,c,α,β,γ, nine numbers, or a file of CP2K, got "
            f"{quoted(text)}"
        )
    try:
        cell = np.array(Cell.new(np.reshape(numbers, (3, 3)) if len(numbers) == 9 else numbers))
    except (AssertionError, ValueError):
        cell = np.zeros((3, 3))
    if not abs(np.linalg.det(np.nan_to_num(cell))) > 1e-6 or min(numbers[:3]) < 0 < 9 - len(
        numbers
    ):
        raise InputError(f"a cell must have a volume, got {quoted(text)}")
    return cell


def _cell_file(path: Path) -> _Cells:
    """Read the cell file of CP2K: step, time, nine numbers in Å, volume."""
    with open_input(path, SERIES_BYTES, "cell file") as stream:
        rows = [
            line for line in text_lines(path, stream) if line.strip() and line.lstrip()[0] != "#"
        ]
    try:
        table = np.array([row.split() for row in rows], dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise InputError(f"{shown(path)}: no cell file of CP2K: {one_line(str(error))}") from None
    if not table.size or table.shape[1] < 11:
        raise InputError(
            f"{shown(path)}: no cell file of CP2K: step, time and nine numbers are needed"
        )
    if not np.all(np.isfinite(table[:, 0])):
        raise InputError(f"{shown(path)}: no cell file of CP2K: a step is no number")
    return _Cells({int(row[0]): row[2:11].reshape(3, 3) for row in table}, str(path))
