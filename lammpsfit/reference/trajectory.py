"""Trajectories, in any of the formats, joined and thinned; one frame in memory at a time."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from lammpsfit.errors import InputError
from lammpsfit.inputs import open_input, quoted, shown, text_lines, unreadable
from lammpsfit.reference.dump import read_dump
from lammpsfit.reference.frame import CUT_SHORT, EndsEarly, Frame, Hints, check_frame
from lammpsfit.reference.vasprun import read_vasprun
from lammpsfit.reference.xdatcar import BEGINS_CONFIGURATION, read_xdatcar
from lammpsfit.reference.xyz import read_xyz_frames

Reader = Callable[[Path, Iterator[str], Hints], Iterator[Frame]]
Warn = Callable[[str], None]

TEXTS: Final[dict[str, Reader]] = {
    "xdatcar": read_xdatcar,
    "xyz": read_xyz_frames,
    "lammps-dump": read_dump,
}
"""Formats of trajectories that are read line by line. xyz is extended xyz and that of CP2K."""

READERS: Final = ("vasprun", *TEXTS)
"""Formats of trajectories; XML is read as bytes, since it says itself how it is encoded."""

TABLES: Final = ("rdf-table", "lammps-rdf")
"""Formats that are pair distributions already: see :mod:`lammpsfit.reference.convert`."""

FORMATS: Final = (*READERS, *TABLES)

NO_HINTS: Final = Hints()

HEAD: Final = 20
"""Lines looked at to tell the format, of comments and of others."""

LONGEST_HEAD: Final = 2000
"""Lines among which they must be: xmgrace's files have long heads of comments."""

_OTHERS: Final = (
    (
        r"creator:\s*LAMMPS",
        "a dump of LAMMPS in yaml: write text instead (dump ... custom ... id type element x y z)",
    ),
    (
        r"CAR\b",
        "an XDATCAR of VASP 4, which has neither cell nor species: write it as extended xyz with "
        "both, or read the vasprun.xml of the run",
    ),
)
"""Beginnings of lines in files that are known but not read, and what to do about them."""


@dataclass(frozen=True)
class Selection:
    """Which frames of a trajectory count.

    Attributes
    ----------
    skip : str
        Frames left out at the beginning, or a time such as "2ps".
    stride : int
        Of the others, every so manieth counts.
    """

    skip: str = "0"
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise InputError(f"the stride must be at least 1, got {self.stride}")
        self._parsed()

    def frames(self, interval: float | None) -> int:
        """Return the number of frames to skip; `interval` between frames in ps, if known."""
        number, is_time = self._parsed()
        if not is_time:
            return int(min(number, sys.maxsize))
        if interval is None or not interval > 0.0:
            raise InputError(
                f"these files do not tell the time between frames: give --skip in frames, "
                f"not {self.skip}"
            )
        return math.ceil(min(number / interval - 1e-6, sys.maxsize))

    @property
    def needs_time(self) -> bool:
        """Whether the time between frames must be known."""
        return self._parsed()[1]

    def _parsed(self) -> tuple[float, bool]:
        found = re.fullmatch(r"(\d+)|(\d*\.?\d+(?:[eE][-+]?\d+)?)\s*ps", self.skip.strip())
        if found is None:
            raise InputError(
                f"skip must be a number of frames or a time in ps, as in 500 or 2.5ps, "
                f"got {quoted(self.skip)}"
            )
        return (float(found[1]), False) if found[1] else (float(found[2]), True)


def detect_format(path: Path) -> str:
    """Tell the format of a file by its first lines.

    Raises
    ------
    InputError
        If it cannot be read, is empty, or is of no known format.
    """
    lines = _first_lines(path)
    if not lines:
        raise InputError(f"{path}: empty file")
    if any("\0" in line for line in lines):
        raise unreadable(path, "not a text file")
    if lines[0].startswith("<?xml") or lines[0].startswith("<modeling"):
        return "vasprun"
    if any(line.startswith("ITEM: ") for line in lines):
        return "lammps-dump"
    if any(BEGINS_CONFIGURATION.match(line) for line in lines):
        return "xdatcar"
    if re.fullmatch(r"[0-9]+", lines[0]):
        return "xyz"
    for pattern, what in _OTHERS:
        if any(re.match(pattern, line) for line in lines):
            raise InputError(f"{shown(path)}: {what}")
    return _table_format(path, lines)


def _first_lines(path: Path) -> list[str]:
    """Return the first lines that are not empty, and of comments only so many as make a head."""
    found: list[str] = []
    with open_input(path) as stream:
        for line in islice(text_lines(path, stream), LONGEST_HEAD):
            if line.strip() and (len(found) < HEAD or not line.lstrip().startswith(("#", "@"))):
                found.append(line.strip())
            if len(found) == 2 * HEAD:
                break
    return found


def _table_format(path: Path, lines: Sequence[str]) -> str:
    if any(re.match(r"#\s*TimeStep\s+Number-of-rows", line) for line in lines):
        return "lammps-rdf"
    rows = [line for line in lines if not line.startswith(("#", "@"))]
    numbers = [row for row in rows if re.fullmatch(r"[-+0-9.eEdDnaif,;\s]+", row)]
    if numbers and len(numbers) >= len(rows) - 1 and len(re.split(r"[,;\s]+", numbers[-1])) > 1:
        return "rdf-table"
    raise InputError(f"{path}: unknown format: give --format, one of {', '.join(FORMATS)}")


def read_trajectory(
    path: Path, form: str, hints: Hints = NO_HINTS, warn: Warn = lambda _line: None
) -> Iterator[Frame]:
    """Yield the frames of one file, each checked for itself.

    A file that ends within a frame, as that of a killed run, ends with the frame before; `warn`
    is told.

    Raises
    ------
    InputError
        If the file cannot be read, holds no whole frame, or a frame is damaged, as one that is
        not whole but not the last.
    """
    number = 0
    with open_input(path) as stream:
        lines = text_lines(path, stream)
        given = read_vasprun(path, stream, warn) if form == "vasprun" else None
        try:
            for frame in given or TEXTS[form](path, lines, hints):
                number += 1
                check_frame(frame, f"{path}, frame {number}")
                yield frame
        except EndsEarly:
            if given is None and any(line.strip() for line in lines):
                raise InputError(f"{path}, frame {number + 1}: {CUT_SHORT}") from None
            if number:
                warn(f"{path}: ends within frame {number + 1}, which is left out")
    if number == 0:
        raise InputError(
            f"{path}: no whole frame in this file, read as {form} (each line must end)"
        )
