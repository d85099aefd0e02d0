"""Options of ``lammpsfit reference`` as they are typed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.reference.frame import Hints
from lammpsfit.reference.trajectory import FORMATS, READERS, TABLES, detect_format
from lammpsfit.structure.rdf import canonical_pair


def parse_types(text: str | None) -> dict[int, str]:
    """Read the species of LAMMPS types.

    Raises
    ------
    InputError
        If it is no such list.

    Examples
    --------
    >>> parse_types("1=Si,2=O")
    {1: 'Si', 2: 'O'}
    """
    types: dict[int, str] = {}
    for item in _items([] if text is None else [text]):
        number, _, name = (part.strip() for part in item.partition("="))
        if not re.fullmatch("[0-9]{1,9}", number) or not name.isalnum() or name.isdecimal():
            raise InputError(
                f"species must be given once by type, as in 1=Si,2=O, got {quoted(text)}"
            )
        if int(number) in types:
            raise InputError(f"species of type {number} is given twice, in {quoted(text)}")
        types[int(number)] = name
    return types


def parse_cutoffs(texts: Sequence[str]) -> dict[str, float]:
    """Read cutoffs by pair, in Å.

    Raises
    ------
    InputError
        If one is no pair with a number, or a pair comes twice.

    Examples
    --------
    >>> parse_cutoffs(["Si-O=2.2", "O-O=3.1,Si-Si=3.6"])
    {'Si-O': 2.2, 'O-O': 3.1, 'Si-Si': 3.6}
    """
    cutoffs: dict[str, float] = {}
    seen = set()
    for item in _items(texts):
        pair, _, number = (part.strip() for part in item.partition("="))
        try:
            cutoff = float(number)
        except ValueError:
            raise InputError(
                f"a cutoff must be given as Si-O=2.2 (Å), got {quoted(item)}"
            ) from None
        if not 0.0 < cutoff < math.inf:
            raise InputError(f"the cutoff of {pair} must be positive, got {number} Å")
        if canonical_pair(pair) in seen:
            raise InputError(f"the cutoff of {pair} is given twice")
        seen.add(canonical_pair(pair))
        cutoffs[pair] = cutoff
    return cutoffs


def parse_pairs(text: str | None) -> list[str]:
    """Read names of pairs separated by commas.

    Examples
    --------
    >>> parse_pairs("Si-O, O-O")
    ['Si-O', 'O-O']
    """
    return _items([] if text is None else [text])


def file_hints(
    files: Sequence[Path],
    forms: Sequence[str],
    types: Mapping[int, str],
    cells: Sequence[str],
) -> list[Hints]:
    """Give each file its hints: one cell for all, or one for each.

    Raises
    ------
    InputError
        If the number of cells is neither, or a hint is for none of the files.
    """
    if len(cells) not in (0, 1, len(files)):
        raise InputError(
            f"--cell must be given once, or once for each of the {len(files)} files, got "
            f"{len(cells)} times"
        )
    if cells and "xyz" not in forms:
        raise InputError("--cell is for xyz files without a cell: these files have their own")
    if types and not {"lammps-dump", "lammps-rdf", "rdf-table"} & set(forms):
        raise InputError("--species names LAMMPS types: these files have their own species")
    if not cells:
        return [Hints(types)] * len(files)
    return [Hints(types, cells[k % len(cells)]) for k in range(len(files))]


def file_formats(files: Sequence[Path], form: str) -> list[str]:
    """Tell the format of each file, and that they are all trajectories or all of one table format.

    Raises
    ------
    InputError
        If a format is unknown, or trajectories and tables are mixed.
    """
    if form != "auto" and form not in FORMATS:
        raise InputError(f"format must be auto or one of {', '.join(FORMATS)}, got {quoted(form)}")
    forms = [detect_format(path) if form == "auto" else form for path in files]
    if not set(forms) <= set(READERS) and len(set(forms)) > 1:
        found = ", ".join(f"{path} ({name})" for path, name in zip(files, forms, strict=True))
        raise InputError(f"trajectories and tables cannot be joined, got {found}")
    return forms


def is_table(forms: Sequence[str]) -> bool:
    """Tell whether files of these formats are pair distributions already."""
    return forms[0] in TABLES


def _items(texts: Sequence[str]) -> list[str]:
    return [item.strip() for text in texts for item in text.split(",") if item.strip()]
