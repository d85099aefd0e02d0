"""Trajectories of VASP: XDATCAR and vasprun.xml.

Both are read frame by frame. pymatgen reads a frame of XDATCAR, which is a POSCAR; its readers of
whole files hold a trajectory in memory, and serve the tests as oracles.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TextIO
from xml.etree import ElementTree
from xml.parsers.expat import errors
from xml.parsers.expat.errors import codes

import numpy as np
from pymatgen.io.vasp.inputs import Poscar

from lammpsfit.errors import InputError
from lammpsfit.reference.frame import EndsEarly, FloatArray, Frame, Hints

PS_PER_FS: Final = 1e-3

_CUT: Final = tuple(
    codes[message]
    for message in (
        errors.XML_ERROR_NO_ELEMENTS,
        errors.XML_ERROR_UNCLOSED_TOKEN,
        errors.XML_ERROR_PARTIAL_CHAR,
    )
)
"""What is wrong with XML that ends too early."""


def read_xdatcar(path: Path, stream: TextIO, hints: Hints) -> Iterator[Frame]:
    """Yield the frames of an XDATCAR, with a header of their own (NPT) or one for all."""
    header: list[str] = []
    begun: list[str] = []
    number = 0
    for line in stream:
        if "configuration" not in line.lower():
            begun.append(line)
            continue
        header, begun = begun or header, []
        number += 1
        where = f"{path}, frame {number}"
        try:
            n = sum(int(count) for count in header[-1].split())
        except (IndexError, ValueError):
            raise InputError(f"{where}: no numbers of atoms above 'Direct configuration'") from None
        rows = list(islice(stream, n))
        if len(rows) < n or not rows[-1].endswith("\n"):
            raise EndsEarly
        yield _poscar("".join([*header, line, *rows]), where)
    if any(line.strip() for line in begun):
        raise EndsEarly


def _poscar(text: str, where: str) -> Frame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as invented names of species
            structure = Poscar.from_str(text, read_velocities=False).structure
    except (ValueError, IndexError, KeyError, Warning) as error:
        raise InputError(f"{where}: no frame of an XDATCAR: {_one_line(error)}") from None
    names = tuple(site.specie.symbol for site in structure)
    return Frame(names, np.array(structure.cart_coords), np.array(structure.lattice.matrix))


def read_vasprun(path: Path, stream: TextIO, hints: Hints) -> Iterator[Frame]:
    """Yield the ionic steps of a vasprun.xml, with their times if it is a run of MD."""
    species: tuple[str, ...] = ()
    settings: dict[str, float] = {}
    number = 0
    try:
        for element in _elements(stream):
            if element.tag == "i":
                settings.setdefault(element.attrib["name"], float(element.text or "nan"))
            elif element.tag == "atominfo":
                rows = element.iterfind("array[@name='atoms']/set/rc/c[1]")
                species = tuple((cell.text or "").strip() for cell in rows)
            else:
                number += 1
                time = None
                if settings.get("IBRION") == 0.0 and "POTIM" in settings:
                    time = (number - 1) * settings["POTIM"] * PS_PER_FS
                yield _ionic_step(element, species, time, f"{path}, frame {number}")
    except ElementTree.ParseError as error:
        if number and error.code in _CUT:
            raise EndsEarly from None
        what = f"damaged after frame {number}" if number else "no whole frame of a vasprun.xml"
        raise InputError(f"{path}: {what}: {error}") from None


def _elements(stream: TextIO) -> Iterator[ElementTree.Element]:
    """Yield the settings of MD, the atoms, and the structure of every ionic step."""
    within = False
    for event, element in ElementTree.iterparse(stream, events=("start", "end")):
        if element.tag == "calculation":
            within = event == "start"
            if not within:
                element.clear()  # a step with its eigenvalues may be large
        elif event == "end" and (
            (element.tag == "i" and element.get("name") in ("POTIM", "IBRION"))
            or element.tag == "atominfo"
            or (element.tag == "structure" and within)
        ):
            yield element


def _ionic_step(
    element: ElementTree.Element, species: tuple[str, ...], time: float | None, where: str
) -> Frame:
    cell = _varray(element.find("crystal/varray[@name='basis']"), where)
    fractions = _varray(element.find("varray[@name='positions']"), where)
    if len(cell) != 3 or len(fractions) != len(species):
        raise InputError(
            f"{where}: must have three cell vectors and {len(species)} atoms, got {len(cell)} "
            f"and {len(fractions)}"
        )
    return Frame(species, fractions @ cell, cell, time)


def _varray(element: ElementTree.Element | None, where: str) -> FloatArray:
    rows = [] if element is None else [(row.text or "").split() for row in element]
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        raise InputError(f"{where}: cell or positions are no numbers") from None
    if values.ndim != 2 or values.shape[1] != 3:
        raise InputError(f"{where}: no cell or no positions")
    return values


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
