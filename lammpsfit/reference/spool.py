"""Frames on disk, so that a trajectory is read once but can be gone through again.

What a cutoff or the range of r is to be depends on all frames; parsing text twice would take twice
as long, and keeping the frames in memory may not be possible.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from lammpsfit.errors import InputError, RunError
from lammpsfit.reference.frame import FloatArray, Frame
from lammpsfit.structure.neighbours import heights
from lammpsfit.structure.pair_counts import Composition


class Spool:
    """Frames of one composition, with their atoms in order of species.

    It takes 24 bytes per atom and frame in a file without a name, which vanishes with the
    process, however that ends.

    Parameters
    ----------
    folder : Path
        Where there is room for it.

    Attributes
    ----------
    composition : Composition or None
        The species of the atoms of every frame; None before the first.
    volumes : list of float, Å³
        Volume of each frame.
    smallest_height : float, Å
        Smallest distance between two opposite faces of the cell of any frame.
    """

    def __init__(self, folder: Path) -> None:
        self.composition: Composition | None = None
        self.volumes: list[float] = []
        self.smallest_height = np.inf
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".frames-")  # noqa: SIM115
        except OSError as error:
            raise InputError(f"cannot write in {folder}: {error.strerror}") from None

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.volumes)

    def append(self, frame: Frame, where: str) -> None:
        """Keep one more frame.

        Raises
        ------
        InputError
            If its atoms are others than those of the first.
        RunError
            If the disk is full.
        """
        names = np.array(frame.species)
        if self.composition is None:
            self.composition = Composition.of(frame.species)
        rank = {name: k for k, name in enumerate(self.composition.species)}
        kinds = np.array([rank.get(name, len(rank)) for name in names], dtype=np.intp)
        order = np.argsort(kinds, kind="stable")
        if not self.volumes:
            self.composition = Composition(self.composition.species, kinds[order])
        elif not np.array_equal(kinds[order], self.composition.kinds):
            raise InputError(
                f"{where}: every frame must have the same atoms, but this one has "
                f"{describe(Composition.of(frame.species))} and those before "
                f"{describe(self.composition)}"
            )
        self.volumes.append(float(abs(np.linalg.det(frame.cell))))
        self.smallest_height = min(self.smallest_height, float(heights(frame.cell).min()))
        try:
            self._file.write(np.concatenate([frame.cell, frame.positions[order]]).tobytes())
        except OSError as error:
            raise RunError(f"cannot keep the frames: {error.strerror}") from error

    def frames(self, first: int = 0) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield positions (n, 3) and cell (3, 3) of each frame in Å, from the `first` on."""
        assert self.composition is not None
        rows = 3 + self.composition.kinds.size
        try:
            self._file.flush()
            self._file.seek(first * rows * 24)
            for _ in range(first, len(self)):
                values = np.frombuffer(self._file.read(rows * 24)).reshape(rows, 3)
                yield values[3:], values[:3]
        except OSError as error:
            raise RunError(f"cannot keep the frames: {error.strerror}") from error


def describe(composition: Composition) -> str:
    """Say how many atoms of which species there are.

    Examples
    --------
    >>> describe(Composition.of(["O", "Si", "O"]))
    '2 O, 1 Si'
    """
    return ", ".join(f"{n} {name}" for name, n in composition.numbers.items())
