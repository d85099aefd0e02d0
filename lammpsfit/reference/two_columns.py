"""Tables of g(r) with columns of r and g, as xmgrace, GROMACS, VMD, TRAVIS or people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import TABLE_BYTES, open_input, text_lines
from lammpsfit.reference.convert import Converted, rdf_of
from lammpsfit.structure.rdf import FloatArray

SAME_R: Final = 1e-6
"""Å by which the radii of two pairs may differ and still be one column."""

MOST_BINS: Final = 100_000

ANGSTROM: Final = {"nm": 10.0, "pm": 0.01, "bohr": 0.529177210903}
"""Å of the units that a table may say its r is in (bohr: CODATA 2018)."""

_UNIT: Final = re.compile(
    r"(?:\br|distance|radius|xaxis)[^;,]*?(?:[(\[/_]|\bin\b)\s*(nm|pm|bohr)\b", re.IGNORECASE
)
_BREAK: Final = re.compile(r"[\s,;]+")

Curve = tuple[FloatArray, FloatArray]
"""r and g."""


@dataclass(frozen=True, eq=False)
class _Block:
    """A table: all of a file, or one of those that xmgrace separates by ``&``."""

    where: str
    table: FloatArray
    unit: str | None


def read_two_columns(
    files: Sequence[Path], pairs: Sequence[str], dr: float | None = None, r_max: float | None = None
) -> Converted:
    """Read tables with columns of r and of g for each pair, one after the other.

    Columns are separated by blanks, tabs, commas or semicolons; lines that begin with ``#`` or
    ``@``, and a line of names, do not count, but the unit of r that they name does. There may be
    an r for each g, one r for several g, or, after each g, its integral, which is left out. Where
    the radii of the pairs are not the same and uniform, or `dr` asks for others, g is interpolated
    linearly onto uniform bins with centres (k + 1/2) dr, over the range that all pairs cover.

    Parameters
    ----------
    files : sequence of Path
        One for all pairs, or one for each; the columns of all are taken in this order.
    pairs : sequence of str
        The pairs, in the order of the columns.
    dr : float, Å, optional
        Width of the bins; by default that of the table, or the widest of them.
    r_max : float, Å, optional
        End of the range.

    Returns
    -------
    Converted

    Raises
    ------
    InputError
        If a file is no such table, or the columns are not those of so many pairs.
    """
    blocks = [block for path in files for block in _blocks(path)]
    curves, notes = _curves(blocks, len(pairs))
    steps = [float(np.median(np.diff(r))) for r, _ in curves]
    radii = curves[0][0]
    same = all(r.size == radii.size and np.allclose(r, radii, atol=SAME_R) for r, _ in curves)
    uniform = np.allclose(np.diff(radii), steps[0], atol=0.02 * steps[0], rtol=0)
    values = np.array([g for _, g in curves]) if same else None
    if values is None or not uniform or (dr is not None and abs(dr - steps[0]) > 0.02 * dr):
        width = dr or max(steps)
        low, high = max(r[0] for r, _ in curves), min(r[-1] for r, _ in curves)
        if (high - low) / width > MOST_BINS:
            raise InputError(
                f"bins of {width:g} Å would be more than {MOST_BINS} up to {high:.4g} Å: give a "
                f"larger --dr"
            )
        k = np.arange(max(0, np.ceil(low / width - 0.5)), np.floor(high / width - 0.5) + 1)
        radii = (k + 0.5) * width
        values = np.array([np.interp(radii, r, g) for r, g in curves])
        notes = (*notes, f"interpolated linearly onto bins of {width:g} Å")
    kept = radii > 0.0
    if r_max is not None:
        kept &= radii < r_max
    return Converted(rdf_of(pairs, radii[kept], values[None, :, kept], files[0]), notes)


def _blocks(path: Path) -> Iterator[_Block]:
    """Yield the tables of a file."""
    rows: list[list[str]] = []
    unit = None
    number = 0
    where = str(path)
    with open_input(path, TABLE_BYTES) as stream:
        for n, given in enumerate(text_lines(path, stream), start=1):
            line = given.strip()
            if line == "&":
                number += 1
                if rows:
                    yield _block(f"{path}, set {number}", rows, unit)
                rows = []
                continue
            words = _BREAK.split(line.rstrip(",;"))
            # comments, or names of the columns
            if not line or line[0] in "#@" or (not rows and not _are_numbers(words)):
                if found := _UNIT.search(line):
                    unit = unit or found[1].lower()
                continue
            if (rows and len(words) != len(rows[0])) or not _are_numbers(words):
                raise InputError(f"{path}, line {n}: must have {len(rows[0])} numbers")
            rows.append(words)
    if rows or not number:
        yield _block(where, rows, unit)


def _block(where: str, rows: Sequence[Sequence[str]], unit: str | None) -> _Block:
    table = np.array(rows, dtype=np.float64, ndmin=2)
    if len(rows) < 2 or table.shape[1] < 2:
        raise InputError(
            f"{where}: must have at least two rows of two columns, r and g, got {len(rows)} rows "
            f"of {table.shape[1] if rows else 0}"
        )
    if not np.all(np.isfinite(table)):
        raise InputError(f"{where}: r must increase from 0 or more, and r and g be finite")
    return _Block(where, table, unit)


def _are_numbers(words: Sequence[str]) -> bool:
    try:
        np.array(words, dtype=np.float64)
    except ValueError:
        return False
    return True


def _curves(blocks: Sequence[_Block], wanted: int) -> tuple[list[Curve], tuple[str, ...]]:
    """Return the curves of all tables in Å, read in the way that makes so many of them as wanted.

    There is at most one such way: what grows like an integral is no g, and what is no r cannot
    stand for it.
    """
    counts = []
    for read, what in ((_each_r, ""), (_one_r, ""), (_with_integrals, "integrals left out")):
        found = [read(block.table) for block in blocks]
        if all(found):
            curves = [curve for one in found for curve in one]
            counts.append(len(curves))
            if len(curves) == wanted:
                units = {block.unit: None for block in blocks if block.unit}
                notes = tuple(f"r was in {unit}, is in Å" for unit in units)
                scaled = [
                    (r * ANGSTROM.get(block.unit or "", 1.0), g)
                    for block, one in zip(blocks, found, strict=True)
                    for r, g in one
                ]
                return scaled, (*notes, what) if what else notes
    if not counts:
        raise InputError(
            f"{blocks[0].where}: the columns must be r and g for each pair, or one r and several "
            f"g, and r must increase from 0 or more"
        )
    raise InputError(
        f"--pairs must name the pairs of the columns r g r g ... (or r g g ...), in their order: "
        f"{' or '.join(map(str, dict.fromkeys(counts)))} of them, got {wanted}"
    )


def _each_r(table: FloatArray) -> list[Curve]:
    """Read r g r g ...; nothing if that is not what the columns are."""
    columns = table.T
    radii, values = columns[0::2], columns[1::2]
    if len(columns) % 2 or not all(map(_is_r, radii)):
        return []
    return list(zip(radii, values, strict=True))


def _one_r(table: FloatArray) -> list[Curve]:
    """Read r g g ..."""
    r, *values = table.T
    return [] if not _is_r(r) or any(map(_is_integral, values)) else [(r, g) for g in values]


def _with_integrals(table: FloatArray) -> list[Curve]:
    """Read r g N g N ..., where N is the integral of g."""
    r, *values = table.T
    fits = len(values) % 2 == 0 and _is_r(r) and all(map(_is_integral, values[1::2]))
    return [(r, g) for g in values[0::2]] if fits else []


def _is_r(column: FloatArray) -> bool:
    return bool(np.all(np.diff(column) > 0.0) and column[0] >= 0.0)


def _is_integral(column: FloatArray) -> bool:
    """Whether it never falls and goes on growing: g is about as large at the end as half way."""
    never_falls = bool(np.all(np.diff(column) >= 0.0) and column[0] >= 0.0)
    return never_falls and float(column[-1]) > 1.5 * float(column[len(column) // 2])
