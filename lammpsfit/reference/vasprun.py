"""Ionic steps of a vasprun.xml, one in memory at a time: structures, labels and times.

A run of MD with VASP's machine-learned field has steps of DFT, each in a ``<calculation>``, and
between them steps that the field made, whose ``<structure>`` stands by itself. Both are steps of
the run, and the time of a step counts both. The file is read as bytes: it says its encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from xml.etree import ElementTree
from xml.parsers.expat import errors
from xml.parsers.expat.errors import codes

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import DEEPEST, one_line, quoted, shown, unreadable
from lammpsfit.reference.frame import MOST_ATOMS, EndsEarly, FloatArray, Frame

PS_PER_FS: Final = 1e-3

_CHUNK: Final = 1 << 16

_LONGEST_ELEMENT: Final = 50_000_000
"""Most bytes without the end of an element: a number has some twenty."""

_CUT: Final = tuple(
    codes[message]
    for message in (
        errors.XML_ERROR_NO_ELEMENTS,
        errors.XML_ERROR_UNCLOSED_TOKEN,
        errors.XML_ERROR_PARTIAL_CHAR,
    )
)
"""What is wrong with XML that ends too early."""

_WANTED: Final = {"structure", "varray", "energy"}
"""Of a step: cell and positions, forces and stress, energies. Bands and the like are large."""


@dataclass(frozen=True, eq=False)
class IonicStep:
    """A step of a run, as VASP wrote it.

    Attributes
    ----------
    number : int
        From 1, steps of the learned field included.
    species : tuple of str
        Name of each of the n atoms.
    positions : ndarray, shape (n, 3), Å
        Cartesian.
    cell : ndarray, shape (3, 3), Å
        Cell vectors as rows.
    time : float or None, ps
        Since the first step, for runs of MD.
    learned : bool
        Whether VASP's machine-learned field made it, not DFT.
    cycles : int
        Electronic steps it took.
    most_cycles : int or None
        Electronic steps VASP makes at most (``NELM``), where the file says it.
    energy : float or None, eV
        The free energy, which forces are the derivative of (``e_fr_energy``).
    forces : ndarray, shape (n, 3), eV/Å, or None
    stress : ndarray, shape (3, 3), kbar, or None
        In VASP's sign, positive under compression.
    """

    number: int
    species: tuple[str, ...]
    positions: FloatArray
    cell: FloatArray
    time: float | None
    learned: bool = False
    cycles: int = 0
    most_cycles: int | None = None
    energy: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None


def read_vasprun(
    path: Path, stream: BinaryIO, warn: Callable[[str], None] = lambda line: None
) -> Iterator[Frame]:
    """Yield the structures of all ionic steps, with their times if it is a run of MD.

    Raises
    ------
    EndsEarly
        If the file ends within a step.
    InputError
        If it is no vasprun.xml, or damaged.
    """
    learned = number = 0
    for step in ionic_steps(path, stream, warn):
        number += 1
        learned += step.learned
        yield Frame(step.species, step.positions, step.cell, step.time)
    if learned:
        warn(
            f"{shown(path)}: {learned} of {number} steps are of VASP's machine-learned field, not "
            f"of DFT"
        )


def ionic_steps(
    path: Path, stream: BinaryIO, warn: Callable[[str], None] = lambda line: None
) -> Iterator[IonicStep]:
    """Yield the steps of a run, of DFT and of the learned field, in the order of time.

    Parameters
    ----------
    path : Path
        What to call it in messages.
    stream : BinaryIO
        The file.
    warn : callable
        Told in a line why the steps have no times, where a run of MD does not tell them.

    Raises
    ------
    EndsEarly
        If the file ends within a step.
    InputError
        If it is no vasprun.xml, or damaged.
    """
    run = _Run(path, warn)
    number = 0
    try:
        for within, element in _elements(path, stream):
            if element.tag == "i" and within[1:2] in (["incar"], ["parameters"]):
                run.settings.setdefault(element.get("name", ""), (element.text or "").strip())
            elif len(within) == 1 and element.tag == "atominfo":
                rows = element.iterfind("array[@name='atoms']/set/rc/c[1]")
                run.species = tuple((cell.text or "").strip() for cell in rows)
            elif within[1:] == ["calculation"]:
                run.add(element)
            elif len(within) == 1 and element.tag == "calculation":
                number += 1
                yield run.step(number)
            elif len(within) == 1 and element.tag == "structure" and element.get("name") is None:
                number += 1
                run.parts = {"structure": element}
                yield run.step(number, learned=True)
    except ElementTree.ParseError as error:
        if number and error.code in _CUT:
            raise EndsEarly from None
        what = f"damaged after frame {number}" if number else "no whole frame of a vasprun.xml"
        raise InputError(f"{shown(path)}: {what}: {one_line(str(error))}") from None


def _elements(path: Path, stream: BinaryIO) -> Iterator[tuple[list[str], ElementTree.Element]]:
    """Yield every element as it ends, with the tags it stands in, and forget it if it may be."""
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(("start", "end"))
    open_ones: list[ElementTree.Element] = []
    tags: list[str] = []
    since = kept = 0
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        try:
            parser.feed(chunk)
        except (ValueError, LookupError) as error:  # an encoding that Python does not know
            raise unreadable(path, one_line(str(error))) from None
        since += len(chunk)
        for event, found in cast(Iterator[tuple[str, Any]], parser.read_events()):
            element, since = cast(ElementTree.Element, found), 0
            if event == "start":
                open_ones.append(element)
                tags.append(element.tag)
                continue
            open_ones.pop()
            tags.pop()
            yield tags, element
            kept += 1
            if not _needed_later(tags) and open_ones:
                open_ones[-1].remove(element)
                kept = 0
        if since > _LONGEST_ELEMENT or len(tags) > DEEPEST or kept > 10 * MOST_ATOMS:
            raise unreadable(path, "no vasprun.xml: an element is too long or too deep")
    parser.close()


def _needed_later(within: list[str]) -> bool:
    """Tell whether what stands in these tags is looked at when an outer one ends."""
    part = within[2:3] if within[1:2] == ["calculation"] else within[1:2]
    return part == ["atominfo"] or (bool(part) and part[0] in _WANTED)


@dataclass
class _Run:
    """What is known of a run by now."""

    path: Path
    warn: Callable[[str], None]
    species: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    parts: dict[str, ElementTree.Element] = field(default_factory=dict)
    cycles: int = 0
    interval: float | None = None
    began: bool = False

    def add(self, element: ElementTree.Element) -> None:
        """Keep a part of a step of DFT; one that comes twice counts as it was last."""
        self.cycles += element.tag == "scstep"
        if element.tag in _WANTED:
            self.parts[element.get("name", element.tag)] = element

    def step(self, number: int, learned: bool = False) -> IonicStep:
        """Return the step that its parts make, and forget them."""
        if not self.began:
            self.began, self.interval = True, self._interval()
        where = f"{shown(self.path)}, frame {number}"
        parts, cycles = self.parts, self.cycles
        self.parts, self.cycles = {}, 0
        if "structure" not in parts:
            raise InputError(f"{where}: no structure")
        cell = _varray(parts["structure"].find("crystal/varray[@name='basis']"), where)
        fractions = _varray(parts["structure"].find("varray[@name='positions']"), where)
        n = len(self.species)
        if len(cell) != 3 or len(fractions) != n:
            raise InputError(
                f"{where}: must have three cell vectors and {n} atoms, got {len(cell)} and "
                f"{len(fractions)}"
            )
        energies = parts.get("energy")
        energy = None if energies is None else energies.findtext("i[@name='e_fr_energy']")
        return IonicStep(
            number,
            self.species,
            fractions @ cell,
            cell,
            None if self.interval is None else (number - 1) * self.interval,
            learned,
            cycles,
            None if (most := self._number("NELM")) is None else int(most),
            None if energy is None else _float(energy, f"{where}: the energy"),
            _varray(parts["forces"], where) if "forces" in parts else None,
            _varray(parts["stress"], where) if "stress" in parts else None,
        )

    def _interval(self) -> float | None:
        """Time between two steps, ps, if the file tells it."""
        if self._number("IBRION") != 0.0 or "POTIM" not in self.settings:
            return None
        potim = self._number("POTIM")
        if potim is None:
            given = quoted(self.settings["POTIM"])
            self.warn(f"{shown(self.path)}: times are not known: POTIM is no number, but {given}")
            return None
        if (self._number("ML_OUTBLOCK") or 1.0) > 1.0:
            self.warn(
                f"{shown(self.path)}: times are not known: with ML_OUTBLOCK = "
                f"{self.settings['ML_OUTBLOCK'][:20]} not every step was written"
            )
            return None
        return potim * PS_PER_FS

    def _number(self, name: str) -> float | None:
        """Return a setting, None if it is not there or no finite number, as stars of Fortran."""
        try:
            value = float(self.settings.get(name, "nan"))
        except ValueError:
            return None
        return value if np.isfinite(value) else None


def _float(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{what} must be a number, got {quoted(text.strip())}") from None


def _varray(element: ElementTree.Element | None, where: str) -> FloatArray:
    rows = [] if element is None else [(row.text or "").split() for row in element]
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        raise InputError(f"{where}: cell, positions, forces or stress are no numbers") from None
    if values.ndim != 2 or values.shape[1] != 3:
        raise InputError(f"{where}: no cell or no positions")
    return values
