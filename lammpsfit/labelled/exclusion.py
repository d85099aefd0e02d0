"""Frames that the user leaves out: by number, or by what they carry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted

Entry = int | str


class Exclusion:
    """Tells which frames of some files are left out, and that each entry left out one at least.

    Parameters
    ----------
    entries : sequence of int or str
        ``17``: the 17th frame of the only file, as messages count them; ``"dimers.xyz:3"``: the
        third of one of several; ``"config_type=dimer"``: those that carry this.
    paths : sequence of Path
        The files.

    Raises
    ------
    InputError
        If an entry is none of these, or names no file.

    Examples
    --------
    >>> excluded = Exclusion([2, "config_type=dimer"], [Path("a.xyz")])
    >>> [excluded.leaves_out(Path("a.xyz"), n, {"config_type": "bulk"}) for n in (1, 2)]
    [False, True]
    """

    def __init__(self, entries: Sequence[Entry], paths: Sequence[Path]) -> None:
        self._carried: dict[Entry, tuple[str, str]] = {}
        self._numbers: dict[tuple[Path, int], Entry] = {}
        self._unused = dict.fromkeys(entries)
        for entry in entries:
            if isinstance(entry, str) and "=" in entry:
                key, _, value = entry.partition("=")
                self._carried[entry] = key.strip(), value.strip()
            else:
                self._numbers[_numbered(entry, paths)] = entry

    def leaves_out(self, path: Path, number: int, carried: Mapping[str, Any]) -> bool:
        """Tell whether a frame is left out: `number` from 1, `carried` by its keys."""
        entry = self._numbers.get((path, number))
        for other, (key, value) in self._carried.items():
            if key in carried and str(carried[key]) == value:
                entry = other
                self._unused.pop(other, None)
        if entry is not None:
            self._unused.pop(entry, None)
        return entry is not None

    def check(self) -> None:
        """Refuse entries that left out no frame: they mean another one.

        Raises
        ------
        InputError
            Naming the first of them.
        """
        for entry in self._unused:
            raise InputError(f"exclude: there is no frame {quoted(entry)}: mend or remove it")


def _numbered(entry: Entry, paths: Sequence[Path]) -> tuple[Path, int]:
    """Return the file and the number of a frame that is excluded by number."""
    name, number = "", str(entry)
    if found := re.fullmatch(r"(.+):([0-9]{1,18})", number):
        name, number = found.groups()
    named = [path for path in paths if name in ("", path.name, str(path))]
    if re.fullmatch("[0-9]{1,18}", number) is None or int(number) < 1:
        raise InputError(
            f"exclude must be numbers of frames from 1, 'file:number' or 'key=value', got "
            f"{quoted(entry)}"
        )
    if len(named) != 1:
        names = ", ".join(path.name for path in paths[:5])
        raise InputError(
            f"exclude: {quoted(entry)} must name one of the files ({names}), as in "
            f"'{paths[0].name}:{number}'"
        )
    return named[0], int(number)
