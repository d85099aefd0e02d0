"""Pair distributions that are tables already: two columns per pair, and those of LAMMPS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.reference.trajectory import open_text
from lammpsfit.structure.rdf import FloatArray, PartialRdf, canonical_pair

SAME_R: Final = 1e-6
"""Å by which the radii of two pairs may differ and still be one column."""


@dataclass(frozen=True, eq=False)
class Converted:
    """A pair distribution, and how it came from its file.

    Attributes
    ----------
    rdf : PartialRdf
        With blocks where the file has several averages.
    notes : tuple of str
        What was done to it.
    """

    rdf: PartialRdf
    notes: tuple[str, ...]


def pair_names(pairs: Sequence[str], types: Mapping[int, str]) -> tuple[str, ...]:
    """Turn pairs of types into pairs of species, and check them.

    Raises
    ------
    InputError
        If a type has no species, or a name is no pair.

    Examples
    --------
    >>> pair_names(["1-2", "O-O"], {1: "Si", 2: "O"})
    ('Si-O', 'O-O')
    """
    names = []
    for pair in pairs:
        canonical_pair(pair)
        parts = pair.split("-")
        unknown = [part for part in parts if part.isdigit() and int(part) not in types]
        if unknown:
            raise InputError(f"pair {pair}: type {unknown[0]} has no species: add it to --species")
        names.append("-".join(types[int(part)] if part.isdigit() else part for part in parts))
    return tuple(names)


def read_two_columns(
    files: Sequence[Path], pairs: Sequence[str], dr: float | None = None, r_max: float | None = None
) -> Converted:
    """Read tables with a column of r and a column of g for each pair, one after the other.

    Columns are separated by blanks, tabs, commas or semicolons; lines that begin with ``#`` or
    ``@``, and a line of names, do not count. Where the radii of the pairs are not the same and
    uniform, or `dr` asks for others, g is interpolated linearly onto uniform bins with centres
    (k + 1/2) dr, over the range that all pairs cover.

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
        If a file is no such table or the number of columns is not twice that of the pairs.
    """
    curves = [curve for path in files for curve in _curves(path)]
    if len(curves) != len(pairs):
        raise InputError(
            f"--pairs must name the pairs of the columns r g r g ..., in their order: "
            f"{len(curves)} of them, got {len(pairs)}"
        )
    steps = [float(np.median(np.diff(r))) for r, _ in curves]
    radii = curves[0][0]
    same = all(r.size == radii.size and np.allclose(r, radii, atol=SAME_R) for r, _ in curves)
    uniform = np.allclose(np.diff(radii), steps[0], atol=0.02 * steps[0], rtol=0)
    notes: tuple[str, ...] = ()
    values = np.array([g for _, g in curves]) if same else None
    if values is None or not uniform or (dr is not None and abs(dr - steps[0]) > 0.02 * dr):
        width = dr or max(steps)
        low, high = max(r[0] for r, _ in curves), min(r[-1] for r, _ in curves)
        k = np.arange(max(0, np.ceil(low / width - 0.5)), np.floor(high / width - 0.5) + 1)
        radii = (k + 0.5) * width
        values = np.array([np.interp(radii, r, g) for r, g in curves])
        notes = (f"interpolated linearly onto bins of {width:g} Å",)
    kept = radii > 0.0
    if r_max is not None:
        kept &= radii < r_max
    return Converted(_rdf(pairs, radii[kept], values[None, :, kept], files[0]), notes)


def _curves(path: Path) -> list[tuple[FloatArray, FloatArray]]:
    with open_text(path) as stream:
        lines = [(n, line.strip()) for n, line in enumerate(stream, start=1)]
    rows = [
        (n, re.split(r"[\s,;]+", line.rstrip(",;")))
        for n, line in lines
        if line and line[0] not in "#@"
    ]
    if rows and not _are_numbers(rows[0][1]):
        rows = rows[1:]  # names of the columns
    for n, row in rows:
        if len(row) != len(rows[0][1]) or not _are_numbers(row):
            raise InputError(f"{path}, line {n}: must have {len(rows[0][1])} numbers")
    table = np.array([row for _, row in rows], dtype=np.float64)
    if len(rows) < 2 or table.shape[1] % 2:
        raise InputError(
            f"{path}: must have at least two rows of two columns, r and g, for each pair, got "
            f"{len(rows)} rows of {table.shape[1] if rows else 0}"
        )
    curves = [(table[:, k], table[:, k + 1]) for k in range(0, table.shape[1], 2)]
    for r, g in curves:
        if not np.all(np.isfinite([r, g])) or r[0] < 0.0 or not np.all(np.diff(r) > 0.0):
            raise InputError(f"{path}: r must increase from 0 or more, and r and g be finite")
    return curves


def _are_numbers(words: Sequence[str]) -> bool:
    try:
        np.array(words, dtype=np.float64)
    except ValueError:
        return False
    return True


def read_lammps_rdf(path: Path, pairs: Sequence[str], blocks: int) -> Converted:
    """Read what ``fix ave/time ... c_ID[*] mode vector`` wrote of ``compute rdf``.

    Each output must be an average of its own (``ave one``, the default): they are divided into
    blocks, whose scatter is the error.

    Parameters
    ----------
    path : Path
        File of one fix.
    pairs : sequence of str
        The pairs in the order of the arguments of ``compute rdf``.
    blocks : int
        Blocks for the errors; fewer where there are fewer outputs.

    Returns
    -------
    Converted

    Raises
    ------
    InputError
        If the file is no such output, or has another number of pairs.
    """
    outputs, columns = _outputs(path)
    first = outputs[0]
    r = first[:, 1]
    width = first.shape[1]
    g_columns = _g_columns(columns, width)
    if len(g_columns) != len(pairs):
        raise InputError(
            f"{path}: --pairs must name the pairs of compute rdf in their order: {len(g_columns)} "
            f"of them, got {len(pairs)}"
        )
    if any(output.shape != first.shape or not np.allclose(output[:, 1], r) for output in outputs):
        raise InputError(f"{path}: every output must have the same bins")
    number = min(blocks, len(outputs))
    length = len(outputs) // number
    kept = np.array(outputs[len(outputs) - number * length :])[:, :, g_columns]
    means = kept.reshape(number, length, *kept.shape[1:]).mean(axis=1).transpose(0, 2, 1)
    notes = (
        f"{number * length} outputs of fix ave/time in {number} blocks, taken as averages of "
        f"their own (ave one)",
    )
    return Converted(_rdf(pairs, r, means, path), notes)


def _outputs(path: Path) -> tuple[list[FloatArray], list[str]]:
    """Tables of all outputs, and the names of their columns if the file tells."""
    columns: list[str] = []
    outputs: list[FloatArray] = []
    with open_text(path) as stream:
        lines = [(n, line.split()) for n, line in enumerate(stream, start=1)]
    for _, words in lines:
        if words[:2] == ["#", "Row"]:
            columns = words[1:]
    rows = [(n, words) for n, words in lines if words and not words[0].startswith("#")]
    k = 0
    while k < len(rows):
        n, words = rows[k]
        if len(words) != 2 or not all(word.isdigit() for word in words):
            raise InputError(f"{path}, line {n}: must be a step and a number of rows")
        table = [row for _, row in rows[k + 1 : k + 1 + int(words[1])]]
        if len(table) < int(words[1]):
            break  # the run goes on, or was killed
        try:
            outputs.append(np.array(table, dtype=np.float64))
        except ValueError:
            raise InputError(f"{path}, line {n}: the rows below must be numbers") from None
        k += 1 + len(table)
    if not outputs or outputs[0].ndim != 2 or outputs[0].shape[1] < 3:
        raise InputError(f"{path}: no whole output of fix ave/time with row, r and g")
    return outputs, columns


def _g_columns(columns: Sequence[str], width: int) -> list[int]:
    """Columns of g: the 2nd, 4th, ... of compute rdf; r must be its 1st."""
    numbers = [re.search(r"\[(\d+)\]$", name) for name in columns]
    if len(columns) == width and all(numbers[1:]):
        of_compute = [int(found[1]) for found in numbers[1:] if found]
        return [k for k, number in enumerate(of_compute, start=1) if number % 2 == 0]
    return list(range(2, width, 2))


def _rdf(pairs: Sequence[str], r: FloatArray, blocks: FloatArray, path: Path) -> PartialRdf:
    try:
        return PartialRdf.from_blocks(tuple(pairs), r, blocks)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
