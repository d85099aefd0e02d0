"""Pair distribution functions as CSV tables.

A table has comment lines that start with ``#``, one header and one row per bin::

    # Where the curve comes from, and how good it is
    r_A,g_Si-O,g_O-O,g_Si-Si
    0.0100,0.00000,0.00000,0.00000

``r_A`` is the bin centre in Å. Columns ``err_Si-O`` may give the standard error of g.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.files import replacing
from lammpsfit.inputs import TABLE_BYTES, quoted, read_text, shown
from lammpsfit.reference.plausible import check_first_peak
from lammpsfit.structure.rdf import BIN_TOLERANCE, PartialRdf, canonical_pair
from lammpsfit.suggest import nearest

FloatArray = NDArray[np.float64]

LOWEST_G: Final = -0.05
"""Lowest g(r) accepted: reading a curve off a figure errs by about 0.01 to 0.02 where g = 0."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A pair distribution with what its file says about it.

    Attributes
    ----------
    rdf : PartialRdf
        The curves, without blocks.
    errors : mapping of str to ndarray, shape (n_bins,)
        Standard errors of g by pair, for the pairs that have an ``err_`` column.
    header : tuple of str
        Comment lines without their ``#``: the source of the curves.
    path : Path
        The file.
    """

    rdf: PartialRdf
    errors: Mapping[str, FloatArray] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    path: Path = Path()


def read_rdf_table(path: Path | str) -> PartialRdf:
    """Read the curves of a table; see :func:`read_reference`."""
    return read_reference(path).rdf


def read_reference(path: Path | str) -> Reference:
    r"""Read a table of pair distribution functions with its comments and errors.

    Values of g down to -0.05 are taken as they are: digitised curves have them.

    Parameters
    ----------
    path : Path or str
        CSV file in the format of this module.

    Returns
    -------
    Reference

    Raises
    ------
    InputError
        If the file cannot be read or is no such table; the message names file and line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "g.csv"
    >>> _ = path.write_text("# made up\nr_A,g_Si-O\n0.5,0.0\n1.5,1.2\n")
    >>> read_reference(path).rdf.pairs
    ('Si-O',)
    """
    source = Path(path)
    text = read_text(source, TABLE_BYTES)
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    header = tuple(line[1:].strip() for _, line in lines if line.startswith("#"))
    rows = [(n, line) for n, line in lines if not line.startswith("#")]
    if not rows:
        raise InputError(f"{source}: empty table: it must have a header r_A,g_Si-O,... and rows")
    number, first = rows[0]
    columns = _read_header(first, f"{source}, line {number}")
    if len(rows) < 3:
        raise InputError(f"{source}: a table needs at least two rows, got {len(rows) - 1}")
    values = np.array([_read_row(text, columns, f"{source}, line {n}") for n, text in rows[1:]])
    table = dict(zip(columns, values.T, strict=True))
    numbers = [n for n, _ in rows[1:]]
    _check_r(table["r_A"], source, numbers)
    _check_values(table, source, numbers)
    curves = {name[2:]: column for name, column in table.items() if name.startswith("g_")}
    try:
        rdf = PartialRdf(tuple(curves), table["r_A"], np.array(list(curves.values())))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    check_first_peak(rdf, shown(source))
    own_spelling = {canonical_pair(pair): pair for pair in curves}
    errors = {
        own_spelling[canonical_pair(name[4:])]: column
        for name, column in table.items()
        if name.startswith("err_")
    }
    return Reference(rdf, errors, header, source)


def require_pairs(reference: Reference | PartialRdf, pairs: Sequence[str]) -> None:
    """Check that a reference holds every one of these pairs, in either spelling.

    Parameters
    ----------
    reference : Reference or PartialRdf
        What was read.
    pairs : sequence of str
        Pairs that a potential needs.

    Raises
    ------
    InputError
        Naming each missing pair, the column to add and, where a name is near, which
        column may be meant.
    """
    rdf = reference.rdf if isinstance(reference, Reference) else reference
    known = {canonical_pair(pair): pair for pair in rdf.pairs}
    missing = [pair for pair in pairs if canonical_pair(pair) not in known]
    if not missing:
        return
    where = f"{reference.path}" if isinstance(reference, Reference) else "the reference"
    columns = ", ".join(f"g_{pair}" for pair in missing)
    message = (
        f"{where} must have every pair of the potential, but {', '.join(missing)} is missing "
        f"(it has {', '.join(rdf.pairs)}): add column {columns}"
    )
    names = [*known.values(), *known]
    near = [
        f"{meant} for {pair}" for pair in missing if (meant := nearest(pair, names, cutoff=0.85))
    ]
    raise InputError(f"{message}, or rename {', '.join(near)}" if near else message)


def write_rdf_table(path: Path | str, rdf: PartialRdf, header_lines: Sequence[str] = ()) -> None:
    """Write curves as a table that :func:`read_reference` reads back, whole or not at all.

    Where the curves have blocks, their standard errors go into ``err_`` columns.

    Parameters
    ----------
    path : Path or str
        File to write; its folder must exist.
    rdf : PartialRdf
        The curves.
    header_lines : sequence of str
        Comments: what the curves are and where they come from.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    columns = {"r_A": rdf.r}
    columns |= {f"g_{pair}": g for pair, g in zip(rdf.pairs, rdf.g, strict=True)}
    if rdf.blocks is not None and len(rdf.blocks) > 1:
        errors = np.sqrt(rdf.variance)
        columns |= {f"err_{pair}": error for pair, error in zip(rdf.pairs, errors, strict=True)}
    write_columns(path, columns, header_lines)


def write_columns(
    path: Path | str, columns: Mapping[str, FloatArray], header_lines: Sequence[str] = ()
) -> None:
    """Write columns of equal length below comments, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    lines = [f"# {line}".rstrip() for text in header_lines for line in text.splitlines() or [""]]
    lines.append(",".join(columns))
    lines += [",".join(f"{x:.8g}" for x in row) for row in zip(*columns.values(), strict=True)]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read_header(line: str, where: str) -> list[str]:
    """Split the header and check that every column means something, once."""
    columns = [name.strip() for name in line.split(",")]
    if _is_number(columns[0]) or len(columns) == 1:
        raise InputError(
            f"{where}: no header: expected r_A,g_Si-O,... with commas, got {quoted(line)}"
        )
    if "r_A" not in columns:
        raise InputError(f"{where}: no column r_A (bin centres in Å), got {', '.join(columns)}")
    seen: dict[str, str] = {}
    for name in columns:
        key = "r_A" if name == "r_A" else _column_key(name, where)
        if key in seen:
            raise InputError(f"{where}: column {name} and column {seen[key]} are the same pair")
        seen[key] = name
    if not any(key.startswith("g_") for key in seen):
        raise InputError(f"{where}: no pair: a table needs at least one column such as g_Si-O")
    for key, name in seen.items():
        if key.startswith("err_") and f"g_{key[4:]}" not in seen:
            raise InputError(f"{where}: column {name} has no column g_{name[4:]}")
    return columns


def _column_key(name: str, where: str) -> str:
    """Name a column so that both spellings of a pair give one name."""
    prefix, _, pair = name.partition("_")
    if prefix not in ("g", "err"):
        raise InputError(
            f"{where}: column {quoted(name)} must be r_A, g_<pair> or err_<pair>, as in g_Si-O"
        )
    try:
        return f"{prefix}_{canonical_pair(pair)}"
    except InputError:
        species = re.findall("[A-Z][a-z]?", pair)
        hint = f": write {prefix}_{'-'.join(species)}" if len(species) == 2 else ""
        raise InputError(
            f"{where}: column {quoted(name)} must name two species joined by '-'{hint}"
        ) from None


def _read_row(line: str, columns: Sequence[str], where: str) -> list[float]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(columns):
        raise InputError(
            f"{where}: must have {len(columns)} values ({','.join(columns)}), got {len(cells)}"
        )
    for name, cell in zip(columns, cells, strict=True):
        if not _is_number(cell) or not math.isfinite(float(cell)):
            raise InputError(f"{where}: {name} must be a finite number, got {quoted(cell)}")
    return [float(cell) for cell in cells]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_r(r: FloatArray, path: Path, numbers: Sequence[int]) -> None:
    if r[0] <= 0.0:
        raise InputError(f"{path}, line {numbers[0]}: r_A must be above 0, got {r[0]:g}")
    steps = np.diff(r)
    if not np.all(steps > 0.0):
        i = int(np.argmax(steps <= 0.0)) + 1
        raise InputError(
            f"{path}, line {numbers[i]}: r_A must increase, got {r[i]:g} after {r[i - 1]:g}"
        )
    dr = float(np.median(steps))
    # Two rounded values make one step, hence twice the tolerance of a single bin.
    odd = np.flatnonzero(np.abs(steps - dr) > 2 * BIN_TOLERANCE * dr)
    if odd.size:
        i = int(odd[0]) + 1
        raise InputError(
            f"{path}, line {numbers[i]}: r_A must be uniform, got a step of {steps[i - 1]:.4g} Å "
            f"where others are {dr:.4g} Å: mend the row or interpolate onto uniform bins"
        )


def _check_values(table: Mapping[str, FloatArray], path: Path, numbers: Sequence[int]) -> None:
    for name, column in table.items():
        lowest = 0.0 if name.startswith("err_") else LOWEST_G
        if np.any(column < lowest):
            i = int(np.argmax(column < lowest))
            raise InputError(
                f"{path}, line {numbers[i]}: {name} must not be negative, got {column[i]:g} "
                f"(g down to {LOWEST_G} is taken as reading error)"
            )
