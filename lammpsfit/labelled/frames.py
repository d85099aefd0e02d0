"""Frames from files and to files, by way of ASE.

:func:`read_frames` gives frames that can be fitted to as they are: every one has the labels the
others of its file have, and no two atoms lie on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lammpsfit.errors import InputError
from lammpsfit.files import replacing
from lammpsfit.inputs import one_line, open_input, quoted, text_lines
from lammpsfit.labelled.atoms import Keys, from_atoms, held, to_atoms
from lammpsfit.labelled.checks import label_suspicions
from lammpsfit.labelled.exclusion import Entry, Exclusion
from lammpsfit.labelled.frame import Frame, check_overlap, roomy_cell
from lammpsfit.labelled.vasp import read_vasprun
from lammpsfit.reference.frame import EndsEarly

if TYPE_CHECKING:
    from ase import Atoms

# ASE's readers load as much as an evaluation: they are imported where a file is read or written

__all__ = [
    "Frame",
    "Keys",
    "check_overlap",
    "from_atoms",
    "read_frames",
    "roomy_cell",
    "to_atoms",
    "write_frames",
    "write_images",
]

FRAMES_BYTES: Final = 4_000_000_000
"""Most of a file of frames: all of them are in memory at a time."""

ASE_BYTES: Final = 1_000_000_000
"""Most of a file that ASE reads as a whole, unpacked."""


def read_frames(
    paths: Sequence[Path],
    keys: Keys | None = None,
    labelled: bool = True,
    tell: Callable[[str], None] = lambda line: None,
    exclude: Sequence[Entry] = (),
    skip: int = 0,
) -> tuple[Frame, ...]:
    """Read every frame of some files that is not left out.

    Parameters
    ----------
    paths
        Extended xyz, vasprun.xml, or whatever else ASE reads.
    keys
        Names of the labels; those of a vasprun.xml are its own.
    labelled
        Whether frames must have an energy or forces, and those of one file the same labels.
    tell
        Told in a line what was left out, and which labels may be in another unit.
    exclude
        Frames left out before they are looked at, as :class:`Exclusion` takes them.
    skip
        Frames left out at the beginning of each file.

    Returns
    -------
    tuple of Frame
        In the order of the files, at least one.

    Raises
    ------
    InputError
        If a file cannot be read, or holds no frames, or one that cannot be fitted to.
    """
    frames: list[Frame] = []
    excluded = Exclusion(exclude, paths)
    for path in paths:
        reader = _Reader(path, keys, labelled, excluded, skip)
        found = list(reader.frames(tell))
        if not found:
            raise InputError(f"{path}: no frames" if not reader.seen else reader.nothing_left())
        if reader.excluded:
            tell(f"{path}: left out {reader.excluded} frames, as exclude says")
        if labelled:
            _same_labels(found)
        for frame in found:
            check_overlap(frame)
        frames += found
    excluded.check()
    if not frames:
        raise InputError("no frames: name at least one file of them")
    if labelled:
        for line in label_suspicions(frames):
            tell(line)
    return tuple(frames)


@dataclass
class _Reader:
    """One file of frames, and how many of them were seen and left out."""

    path: Path
    keys: Keys | None
    labelled: bool
    exclusion: Exclusion
    skip: int
    seen: int = 0
    excluded: int = 0

    def frames(self, tell: Callable[[str], None]) -> Iterator[Frame]:
        """Yield the frames that count."""
        if _is_vasprun(self.path):
            yield from read_vasprun(self.path, tell, lambda number: self._leaves_out(number, {}))
            return
        for number, atoms in enumerate(_images(self.path), start=1):
            if not self._leaves_out(number, held(atoms)):
                yield from_atoms(atoms, self.keys, f"{self.path}, frame {number}", self.labelled)

    def nothing_left(self) -> str:
        """Say that no frame is left."""
        return f"{self.path}: has {self.seen} frames, and skip = {self.skip} and exclude leave none"

    def _leaves_out(self, number: int, held: Mapping[str, Any]) -> bool:
        self.seen = number
        excluded = self.exclusion.leaves_out(self.path, number, held)
        self.excluded += excluded
        return excluded or number <= self.skip


def _is_vasprun(path: Path) -> bool:
    """Tell by the first lines, which count more than the name."""
    with open_input(path, FRAMES_BYTES, "file of frames") as stream:
        head = stream.read(1000)
    named = "vasprun" in path.name and ".xml" in path.suffixes
    return named or (head.lstrip().startswith(b"<") and b"<modeling" in head)


def _images(path: Path) -> Iterator[Atoms]:
    """Yield the atoms of a file, of xyz one frame at a time."""
    if {".xyz", ".extxyz"} & set(path.suffixes):
        yield from _xyz_images(path)
        return
    with open_input(path, ASE_BYTES, "file of frames") as stream:
        while stream.read(1 << 20):
            pass  # what it holds when unpacked is counted before ASE unpacks it
    from ase.io import read

    try:
        # never split at @: it is part of the name
        images = read(path, index=":", do_not_split_by_at_sign=True)
    except Exception as error:  # each of ASE's readers raises what it likes
        why = one_line(str(error)) or type(error).__name__
        raise InputError(f"{path}: no file of frames that ASE can read: {quoted(why)}") from None
    yield from images


def _xyz_images(path: Path) -> Iterator[Atoms]:
    from lammpsfit.reference.xyz import atoms_of, spelt_as_ase, split_frames

    number = 0
    with open_input(path) as stream:
        try:
            for count, comment, rows in split_frames(path, text_lines(path, stream)):
                number += 1
                text = "".join([f"{count}\n", spelt_as_ase(comment), *rows])
                yield atoms_of(text, f"{path}, frame {number}")
        except EndsEarly:
            raise InputError(
                f"{path}: ends within frame {number + 1}, as that of a killed run: take the last "
                f"frame out of the file"
            ) from None


def _same_labels(frames: Sequence[Frame]) -> None:
    """Refuse a file where a label is sometimes there: a misspelt key would go unnoticed."""
    periodic = {True: frames[0], False: frames[0]}
    for frame in reversed(frames):
        periodic[all(frame.pbc)] = frame  # stresses exist of periodic frames only
    for frame in frames:
        first = periodic[all(frame.pbc)]
        if frame.labels != first.labels:
            raise InputError(
                f"{frame.label}: has {_listed(frame)}, but {first.label} has {_listed(first)}: "
                f"the frames of one file must have the same labels under the same keys"
            )


def _listed(frame: Frame) -> str:
    return " and ".join(frame.labels)


def write_frames(path: Path, frames: Sequence[Frame], keys: Keys | None = None) -> None:
    """Write frames as extended xyz, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_images(path, [to_atoms(frame, keys) for frame in frames])


def write_images(path: Path, images: Sequence[Atoms]) -> None:
    """Write ASE's atoms as extended xyz, with all they carry, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    from ase.io import write

    with replacing(path) as part:
        write(part, list(images), format="extxyz")
