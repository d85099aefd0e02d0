"""``lammpsfit reference``: from files to a table that a fit can take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lammpsfit.errors import InputError
from lammpsfit.reference.analyse import Analysis, Progress, Settings, analyse
from lammpsfit.reference.convert import Converted, pair_names
from lammpsfit.reference.describe import (
    angle_columns,
    angle_header,
    angle_lines,
    coordination_line,
    cutoff_lines,
    header,
    summary,
)
from lammpsfit.reference.lammps_rdf import read_lammps_rdf
from lammpsfit.reference.options import file_formats, file_hints, is_table
from lammpsfit.reference.table import write_columns, write_rdf_table
from lammpsfit.reference.two_columns import read_two_columns
from lammpsfit.structure.bonding import BondAngles
from lammpsfit.structure.rdf import PartialRdf


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes
    ----------
    files : tuple of Path
        Trajectories, or tables.
    form : str
        Their format, or "auto".
    settings : Settings
        What to make of them.
    types : mapping of int to str
        Species of LAMMPS types.
    cells : tuple of str
        Cells of xyz files that have none.
    pairs : tuple of str
        Pairs of a table, in its order.
    command : str
        How to ask again.
    """

    files: tuple[Path, ...]
    form: str
    settings: Settings
    types: Mapping[int, str]
    cells: tuple[str, ...]
    pairs: tuple[str, ...]
    command: str


@dataclass(frozen=True, eq=False)
class Made:
    """What came of it.

    Attributes
    ----------
    rdf : PartialRdf
        The reference.
    title : str
        One line for pictures.
    lines : tuple of str
        What to tell the user.
    summary : dict
        Everything, for programs.
    cutoffs : mapping of str to float, Å
        Where bonds end.
    angles : BondAngles or None
        Where there are any.
    """

    rdf: PartialRdf
    title: str
    lines: tuple[str, ...]
    summary: dict[str, Any]
    cutoffs: Mapping[str, float] = field(default_factory=dict)
    angles: BondAngles | None = None


def make_reference(
    request: Request, output: Path, angle_file: Path | None, progress: Progress
) -> Made:
    """Measure or convert, and write the tables; nothing is written unless all went well.

    Raises
    ------
    InputError
        If the files or the options are wrong.
    RunError
        If the disk is full.
    """
    forms = file_formats(request.files, request.form)
    if is_table(forms):
        return _convert(request, forms[0], output, angle_file)
    if request.pairs:
        raise InputError("--pairs is for tables: the pairs of a trajectory are those of its atoms")
    hints = file_hints(request.files, forms, request.types, request.cells)
    found = analyse(request.files, forms, hints, request.settings, output.parent, progress)
    if angle_file is not None and found.angles is None:
        raise InputError(f"there are no bond angles for {angle_file}: no atom has two bonds")
    write_rdf_table(output, found.rdf, header(found, request.command))
    if angle_file is not None and found.angles is not None:
        write_columns(angle_file, angle_columns(found.angles), angle_header(found, request.command))
    title = f"{', '.join(path.name for path in request.files)}: {found.used} frames"
    return Made(
        found.rdf,
        title,
        _lines(found, output),
        summary(found, request.command),
        found.cutoffs,
        found.angles,
    )


def _lines(found: Analysis, output: Path) -> tuple[str, ...]:
    error = found.rdf.variance.max(axis=1) ** 0.5
    largest = ", ".join(
        f"{pair} {value:.2g}" for pair, value in zip(found.rdf.pairs, error, strict=True)
    )
    known = f", largest standard error: {largest}" if found.settings.blocks > 1 else ""
    return (
        f"{output}: g(r) of {', '.join(found.rdf.pairs)} up to {found.rdf.edges[-1]:.4g} Å from "
        f"{found.used} frames{known}",
        *(f"cutoff {line}" for line in cutoff_lines(found)),
        *(coordination_line(c) for c in found.coordination),
        *(f"angle {line}" for line in angle_lines(found)),
        *(f"note: {line}" for line in found.warnings),
    )


def _convert(request: Request, form: str, output: Path, angle_file: Path | None) -> Made:
    settings = request.settings
    if angle_file is not None or settings.cutoffs:
        raise InputError("--angles and --cutoff need a trajectory: a table of g(r) has no atoms")
    if request.cells or settings.selection.skip != "0" or settings.selection.stride != 1:
        raise InputError("--cell, --skip and --stride are for trajectories, not for tables of g(r)")
    pairs = pair_names(request.pairs, request.types)
    converted = _read_table(request, form, pairs)
    lines = [
        "Partial pair distribution functions, converted from a table",
        *(f"Source: {path} ({form})" for path in request.files),
        *(f"Note: {note}" for note in converted.notes),
        f"Command: {request.command}",
    ]
    write_rdf_table(output, converted.rdf, lines)
    rdf = converted.rdf
    return Made(
        rdf,
        ", ".join(path.name for path in request.files),
        (
            f"{output}: g(r) of {', '.join(rdf.pairs)} up to {rdf.edges[-1]:.4g} Å",
            *(f"note: {note}" for note in converted.notes),
        ),
        {
            "command": request.command,
            "sources": [{"file": str(path), "format": form} for path in request.files],
            "r_A": rdf.r.tolist(),
            "g": {pair: g.tolist() for pair, g in zip(rdf.pairs, rdf.g, strict=True)},
            "notes": list(converted.notes),
        },
    )


def _read_table(request: Request, form: str, pairs: tuple[str, ...]) -> Converted:
    settings = request.settings
    if form == "rdf-table":
        return read_two_columns(request.files, pairs, settings.dr, settings.r_max)
    if len(request.files) > 1:
        raise InputError("one file of fix ave/time at a time, please")
    if settings.dr is not None or settings.r_max is not None:
        raise InputError("--dr and --r-max do not change the bins of compute rdf: leave them out")
    return read_lammps_rdf(request.files[0], pairs, settings.blocks)
