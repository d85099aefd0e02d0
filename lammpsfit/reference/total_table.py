"""Total S(q) and g(r) of diffraction, as tables with two columns, in the units that they say.

A table has lines that begin with ``#``, perhaps one line of names, and rows of q and S, or of r and
g; a third column is a standard error. Columns are separated by blanks, tabs, commas or semicolons.
A comment or the line of names may say the unit of the first column: ``q (1/nm)``, ``Q [Å⁻¹]``,
``r_nm``. What a file says is believed where it can be; what cannot be is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import TABLE_BYTES, open_input, quoted, text_lines
from lammpsfit.structure.rdf import FloatArray

Axis = Literal["q", "r"]

_BREAK: Final = re.compile(r"[\s,;]+")

_INVERSE: Final = r"(?:⁻¹|\^?\{?[-\u2212]1\}?)"
"""What makes a unit its inverse: Å⁻¹, A^-1, nm-1."""

_LENGTH: Final = r"(?:angstroms?|ångströms?|å|\u212b|a|nm|nanometers?)"

_Q: Final = re.compile(rf"(?:\b1\s*/\s*({_LENGTH})\b)|(?:(?<![a-zå])({_LENGTH}){_INVERSE})", re.I)
_R: Final = re.compile(
    rf"\b(?:r|distance|radius)\s*(?:[(\[/_,]|\bin\b)\s*({_LENGTH})(?![a-z\d⁻^\-])", re.I
)

LONGEST_Q: Final = 60.0
"""1/Å: beyond, no diffractometer measures."""

LONGEST_R: Final = 200.0
"""Å: a table beyond is in another unit."""

LEAST_POINTS: Final = 8


@dataclass(frozen=True, eq=False)
class TotalTable:
    """A curve of diffraction.

    Attributes
    ----------
    x : ndarray, shape (n,), 1/Å or Å
        q or r, increasing, positive.
    y : ndarray, shape (n,)
        The curve, as it stands in the file.
    error : ndarray, shape (n,), or None
        Its standard error, where the file has one.
    header : tuple of str
        Comment lines without their ``#``: the source.
    path : Path
        The file.
    """

    x: FloatArray
    y: FloatArray
    error: FloatArray | None
    header: tuple[str, ...]
    path: Path


def read_total_table(path: Path | str, axis: Axis, unit: str | None = None) -> TotalTable:
    """Read a curve of diffraction.

    Parameters
    ----------
    path : Path or str
        The file.
    axis : {"q", "r"}
        What the first column is.
    unit : {"1/Å", "1/nm", "Å", "nm"}, optional
        Its unit; by default what the file says, else 1/Å or Å.

    Raises
    ------
    InputError
        If the file cannot be read, is no such table, says another unit than is asked for, or its
        q or r cannot be in that unit.
    """
    source = Path(path)
    header, names, rows = _lines(source)
    table = np.array(rows, dtype=np.float64, ndmin=2)
    if len(rows) < LEAST_POINTS or table.shape[1] not in (2, 3):
        raise InputError(
            f"{source}: must have at least {LEAST_POINTS} rows of {axis}, the curve, and perhaps "
            f"its error, got {len(rows)} rows of {table.shape[1] if rows else 0} numbers"
        )
    if not np.all(np.isfinite(table)) or table[0, 0] < 0 or np.any(np.diff(table[:, 0]) <= 0):
        raise InputError(f"{source}: {axis} must increase from 0 or more, and all be finite")
    table = table[table[:, 0] > 0]
    other = "r" if axis == "q" else "q"
    if any(re.match(rf"\W*{other}(?:_|\b)", line, re.I) for line in (*header, names)):
        raise InputError(f"{source}: says that its first column is {other}, not {axis}")
    x = table[:, 0] * _factor(axis, unit, [*header, names], source)
    longest, length = (LONGEST_Q, "1/Å") if axis == "q" else (LONGEST_R, "Å")
    if x[-1] > longest:
        other = "1/nm" if axis == "q" else "pm"
        raise InputError(
            f"{source}: {axis} goes up to {x[-1]:g} {length}, which is beyond {longest:g}: is the "
            f"file in {other}?" + (' Say unit = "1/nm"' if axis == "q" else "")
        )
    error = table[:, 2] if table.shape[1] == 3 else None
    if error is not None and not np.all(error >= 0):
        raise InputError(f"{source}: the third column must be errors, none of them negative")
    return TotalTable(x, table[:, 1], error, tuple(header), source)


def _lines(source: Path) -> tuple[list[str], str, list[list[str]]]:
    """Return comments, the line of names, and the words of each row."""
    header: list[str] = []
    names = ""
    rows: list[list[str]] = []
    with open_input(source, TABLE_BYTES) as stream:
        for n, given in enumerate(text_lines(source, stream), start=1):
            line = given.strip()
            if not line:
                continue
            if line[0] in "#@%!":
                header.append(line.lstrip("#@%! "))
                continue
            words = _BREAK.split(line.strip(",;"))
            if not _are_numbers(words):
                if rows or names:
                    raise InputError(f"{source}, line {n}: must be numbers, got {quoted(line)}")
                names = line
                continue
            if rows and len(words) != len(rows[0]):
                raise InputError(f"{source}, line {n}: must have {len(rows[0])} numbers")
            rows.append(words)
    return header, names, rows


def _are_numbers(words: list[str]) -> bool:
    try:
        np.array(words, dtype=np.float64)
    except ValueError:
        return False
    return True


def _factor(axis: Axis, unit: str | None, lines: list[str], source: Path) -> float:
    """Return what turns the first column into 1/Å or Å."""
    said = dict.fromkeys(nm for line in lines for nm in _said(axis, line))
    told = None if unit is None else unit.endswith("nm")
    if len(said) > 1 or (said and told is not None and told not in said):
        one = "1/nm" if axis == "q" else "nm"
        stated = f", the job {unit}" if unit is not None else ""
        theirs = " and ".join(one if nm else one.replace("nm", "Å") for nm in said)
        raise InputError(f"{source}: says that {axis} is in {theirs}{stated}: mend one of them")
    nm = told if told is not None else next(iter(said), False)
    if not nm:
        return 1.0
    return 0.1 if axis == "q" else 10.0


def _said(axis: Axis, line: str) -> list[bool]:
    """Return for every unit that a line says whether it is that of nm."""
    found = (_Q if axis == "q" else _R).findall(line)
    words = ("".join(one) if isinstance(one, tuple) else one for one in found)
    return [word.lower().startswith("n") for word in words]
