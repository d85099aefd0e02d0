"""Bond-angle distributions as CSV tables: something to compare runs with, never fitted.

A table has comment lines that start with ``#``, one header and one row per angle::

    # Where the curves come from
    # Unreliable: O-Si-O 124 133
    # Floor: 0.05
    theta_deg,O-Si-O_aimd,O-Si-O_bks,Si-O-Si_aimd
    60.5,0.0012,0.0008,0.0000

A column is named after the angle, with the centre in the middle, and whose it is; ``p_O-Si-O``, as
``lammpsfit reference --angles`` writes it, is that of "reference". Columns ``err_`` are left out.
Units are arbitrary. Two comments are read: rows between the two angles of ``Unreliable`` (for one
angle, or for one column) are bridged by a straight line, and what is below ``Floor`` is zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import TABLE_BYTES, quoted, read_text
from lammpsfit.structure.rdf import FloatArray

OWN: Final = "reference"
"""Whose a column is that does not say it."""

_COLUMN: Final = re.compile(r"(?:p_)?([A-Za-z]+-[A-Za-z]+-[A-Za-z]+)(?:_(.+))?")
_UNRELIABLE: Final = re.compile(r"Unreliable:\s*(\S+)\s+([\d.]+)\s+([\d.]+)")
_FLOOR: Final = re.compile(r"Floor:\s*([\d.]+)")


@dataclass(frozen=True, eq=False)
class AngleTable:
    """Distributions of bond angles.

    Attributes
    ----------
    theta : ndarray, shape (n,), degree
        Angles, increasing.
    curves : mapping of str to mapping of str to ndarray, shape (n,)
        By whose they are, then by angle ("O-Si-O"), normalised to ∫ p dθ = 1 over the range.
    header : tuple of str
        Comment lines without their ``#``: the source.
    path : Path
        The file.
    text : str
        The whole of it.
    """

    theta: FloatArray
    curves: Mapping[str, Mapping[str, FloatArray]]
    header: tuple[str, ...]
    path: Path
    text: str

    def at(self, whose: str, triple: str, theta: FloatArray) -> FloatArray | None:
        """Return a curve at other angles of its range, or None; C-B-A also finds A-B-C."""
        of_one = self.curves[whose]
        p = of_one.get(triple, of_one.get("-".join(reversed(triple.split("-")))))
        return None if p is None else np.interp(theta, self.theta, p)


def read_angle_table(path: Path | str) -> AngleTable:
    """Read a table of bond angles.

    Raises
    ------
    InputError
        If the file cannot be read or is no such table; the message names file and line.
    """
    source = Path(path)
    text = read_text(source, TABLE_BYTES)
    header = tuple(line[1:].strip() for line in text.splitlines() if line.startswith("#"))
    lines = [(n, x.strip()) for n, x in enumerate(text.splitlines(), 1) if x.strip()]
    rows = [(n, line.split(",")) for n, line in lines if not line.startswith("#")]
    if len(rows) < 4:
        raise InputError(f"{source}: a table of angles needs a header and at least three rows")
    names = [name.strip() for name in rows[0][1]]
    if names[0] != "theta_deg":
        raise InputError(
            f"{source}, line {rows[0][0]}: the first column must be theta_deg, got "
            f"{quoted(names[0])}"
        )
    values = np.array([_numbers(cells, len(names), f"{source}, line {n}") for n, cells in rows[1:]])
    theta = values[:, 0]
    if not (np.all(np.diff(theta) > 0) and theta[0] >= 0 and theta[-1] <= 180):
        raise InputError(f"{source}: theta_deg must increase from 0 to 180")
    curves: dict[str, dict[str, FloatArray]] = {}
    for name, column in zip(names[1:], values.T[1:], strict=True):
        if name.startswith("err_"):
            continue
        match = _COLUMN.fullmatch(name)
        if match is None:
            raise InputError(
                f"{source}: column {quoted(name)} must name an angle and whose it is, as in "
                f"O-Si-O_aimd"
            )
        triple, whose = match[1], match[2] or OWN
        curves.setdefault(whose, {})[triple] = _mended(theta, column, name, triple, header, source)
    if not curves:
        raise InputError(f"{source}: no angle: a table needs at least one column such as O-Si-O")
    return AngleTable(theta, curves, header, source, text)


def _numbers(cells: list[str], wanted: int, where: str) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    if len(values) != wanted or not np.all(np.isfinite(values)):
        raise InputError(
            f"{where}: must have {wanted} finite numbers, got {quoted(','.join(cells))}"
        )
    return values


def _mended(
    theta: FloatArray,
    column: FloatArray,
    name: str,
    triple: str,
    header: tuple[str, ...],
    source: Path,
) -> FloatArray:
    """Bridge what the header calls unreliable, drop what is below its floor, and normalise."""
    from scipy.integrate import trapezoid  # loads much, and every evaluation knows this module

    sound = np.ones(theta.size, dtype=np.bool_)
    p = column.copy()
    for line in header:
        if (bad := _UNRELIABLE.fullmatch(line)) and bad[1] in (name, triple):
            sound &= (theta < float(bad[2])) | (theta > float(bad[3]))
        if floor := _FLOOR.fullmatch(line):
            p[p < float(floor[1])] = 0.0
    p = np.interp(theta, theta[sound], p[sound]) if sound.any() else 0.0 * p
    total = trapezoid(p, theta)
    if not (total > 0 and p.min() >= 0):
        raise InputError(
            f"{source}: column {quoted(name)} must be positive somewhere, negative nowhere"
        )
    normalised: FloatArray = p / total
    return normalised
