"""Trajectories of VASP in XDATCAR.

pymatgen reads a frame, which is a POSCAR; its reader of whole files holds a trajectory in memory,
and serves the tests as oracle.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from pymatgen.io.vasp.inputs import Poscar

from lammpsfit.errors import InputError
from lammpsfit.inputs import one_line, quoted
from lammpsfit.reference.frame import EndsEarly, Frame, Hints, check_count

BEGINS_CONFIGURATION: Final = re.compile(r"\s*(?:direct|cartesian) configuration\s*=", re.I)
"""The line above the positions of a frame; the title may hold any of these words."""

HEADER: Final = 7
"""Lines above: title, scale, three vectors, names and numbers of atoms."""


def read_xdatcar(path: Path, lines: Iterator[str], hints: Hints) -> Iterator[Frame]:
    """Yield the frames of an XDATCAR, with a header of their own (NPT) or one for all."""
    header: list[str] = []
    begun: list[str] = []
    number = 0
    for line in lines:
        where = f"{path}, frame {number + 1}"
        if not BEGINS_CONFIGURATION.match(line):
            begun.append(line)
            if len(begun) > 2 * HEADER:
                raise InputError(
                    f"{where}: no line 'Direct configuration=' below its header, got "
                    f"{quoted(line.strip())}"
                )
            continue
        header, begun = begun or header, []
        number += 1
        n = _number_of_atoms(header, where)
        rows = list(islice(lines, n))
        if len(rows) < n or not rows[-1].endswith("\n"):
            raise EndsEarly
        yield _poscar("".join([*header, line, *rows]), where)
    if any(line.strip() for line in begun):
        raise EndsEarly


def _number_of_atoms(header: list[str], where: str) -> int:
    words = header[-1].split() if header else []
    if not words or not all(re.fullmatch(r"[+-]?[0-9]{1,18}", word) for word in words):
        raise InputError(f"{where}: no numbers of atoms above 'Direct configuration'")
    if min(map(int, words)) < 1:
        given = quoted(" ".join(words))
        raise InputError(f"{where}: every number of atoms must be at least 1, got {given}")
    if len(header) >= 2 and not re.search("[A-Za-z]", header[-2]):
        raise InputError(
            f"{where}: no names of species above the numbers of atoms, as VASP 4 leaves them out: "
            f"add a line such as 'Si O' there"
        )
    return check_count(sum(map(int, words)), where)


def _poscar(text: str, where: str) -> Frame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as invented names of species
            structure = Poscar.from_str(text, read_velocities=False).structure
    except (ValueError, IndexError, KeyError, ZeroDivisionError, Warning) as error:
        why = one_line(str(error)) or type(error).__name__
        raise InputError(f"{where}: no frame of an XDATCAR: {why}") from None
    names = tuple(site.specie.symbol for site in structure)
    return Frame(names, np.array(structure.cart_coords), np.array(structure.lattice.matrix))
