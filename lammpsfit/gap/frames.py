"""Frames from files and to files, by way of ASE.

:func:`read_frames` gives frames that can be fitted to as they are: every one has the labels the
others of its file have, and no two atoms lie on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read, write
from numpy.typing import ArrayLike

from lammpsfit.errors import InputError
from lammpsfit.files import replacing
from lammpsfit.gap.frame import LABELS, FloatArray, Frame, check_overlap, roomy_cell
from lammpsfit.inputs import quoted

__all__ = [
    "Frame",
    "Keys",
    "check_overlap",
    "from_atoms",
    "read_frames",
    "roomy_cell",
    "to_atoms",
    "write_frames",
]


@dataclass(frozen=True)
class Keys:
    """Names of the labels in a file.

    The bare names ``energy``, ``forces`` and ``stress`` mean what ASE itself stores under them:
    it moves them out of the frame and into a calculator (since 3.23), so that other codes
    cannot find them, and two sets of labels cannot lie side by side.

    Attributes
    ----------
    energy : str
        Total energy, eV.
    forces : str
        Forces, eV/Å.
    stress : str
        +dE/dstrain / V, eV/Å^3, as xx yy zz yz xz xy or nine numbers.
    virial : str
        -V times the stress, eV: read where there is no stress.
    """

    energy: str = "REF_energy"
    forces: str = "REF_forces"
    stress: str = "REF_stress"
    virial: str = "REF_virial"


def read_frames(
    paths: Sequence[Path],
    keys: Keys | None = None,
    labelled: bool = True,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Frame, ...]:
    """Read every frame of some files.

    Parameters
    ----------
    paths
        Extended xyz, vasprun.xml, or whatever else ASE reads.
    keys
        Names of the labels; those of a vasprun.xml are its own.
    labelled
        Whether frames must have an energy or forces, and those of one file the same labels.
    tell
        Told in a line what was left out.

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
    for path in paths:
        found = _read_one(path, keys, labelled, tell)
        if labelled:
            _same_labels(found)
        for frame in found:
            check_overlap(frame)
        frames += found
    if not frames:
        raise InputError("no frames: name at least one file of them")
    return tuple(frames)


def _read_one(
    path: Path, keys: Keys | None, labelled: bool, tell: Callable[[str], None]
) -> list[Frame]:
    if not path.is_file():
        raise InputError(f"{path}: no such file of frames")
    if "vasprun" in path.name and ".xml" in path.suffixes:
        from lammpsfit.gap.vasp import read_vasprun  # pymatgen takes a second to import

        return list(read_vasprun(path, tell))
    try:
        images = read(path, index=":")
    except Exception as error:  # each of ASE's readers raises what it likes
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: no file of frames that ASE can read: {why}") from None
    if not images:
        raise InputError(f"{path}: no frames")
    return [
        from_atoms(atoms, keys, f"{path}, frame {number}", labelled)
        for number, atoms in enumerate(images, start=1)
    ]


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
    images = [to_atoms(frame, keys) for frame in frames]
    with replacing(path) as part:
        write(part, images, format="extxyz")


def from_atoms(
    atoms: Atoms, keys: Keys | None = None, label: str = "frame", labelled: bool = True
) -> Frame:
    """Make a frame of ASE's atoms.

    Parameters
    ----------
    atoms
        With the labels in ``info`` and ``arrays``, or in a calculator under ASE's own names.
    keys
        Names of the labels.
    label
        Where it comes from.
    labelled
        Whether it must have an energy or forces; else labels are not looked at.

    Raises
    ------
    InputError
        If it is no sound frame, or labels are missing.
    """
    frame = Frame(
        tuple(atoms.get_chemical_symbols()),
        atoms.positions,
        np.array(atoms.cell),
        (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
        label=label,
    )
    if not labelled:
        return frame
    keys = keys or Keys()
    held = _held(atoms)
    stress = None
    if all(frame.pbc):  # ASE writes one of zeros for molecules
        stress = voigt(held.get(keys.stress), label)
        if stress is None and (virial := voigt(held.get(keys.virial), label)) is not None:
            stress = -virial / frame.volume
    found = replace(
        frame,
        energy=_number(held.get(keys.energy), label),
        forces=held.get(keys.forces),
        stress=stress,
    )
    if found.energy is None and found.forces is None:
        raise InputError(f"{label}: {_what_is_there(held, keys)}")
    return found


def _held(atoms: Atoms) -> dict[str, Any]:
    """Everything the atoms carry, by name."""
    inherent = ("numbers", "positions")
    arrays = {name: value for name, value in atoms.arrays.items() if name not in inherent}
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    # forces are the derivative of the free energy, where electrons have a temperature
    if "free_energy" in results:
        results["energy"] = results["free_energy"]
    return {**results, **arrays, **atoms.info}


def _what_is_there(held: Mapping[str, Any], keys: Keys) -> str:
    bare = [name for name in LABELS if name in held]
    if bare:
        return (
            f"no {keys.energy} or {keys.forces}, but {' and '.join(bare)} under ASE's own names: "
            f"if these are the labels, give the keys as energy, forces and stress"
        )
    there = ", ".join(sorted(held)) or "nothing"
    return f"no energy ({keys.energy}) and no forces ({keys.forces}); there is: {there}"


def _number(value: object, label: str) -> float | None:
    if value is None:
        return None
    try:
        return float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        raise InputError(f"{label}: the energy must be one number, got {quoted(value)}") from None


def voigt(value: ArrayLike | None, label: str) -> FloatArray | None:
    """Six numbers of six or nine."""
    if value is None:
        return None
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{label}: a stress must be numbers, got {quoted(value)}") from None
    if array.size == 9:
        full = array.reshape(3, 3)
        if not np.allclose(full, full.T, rtol=1e-4, atol=1e-6 * float(np.abs(full).max())):
            raise InputError(f"{label}: a stress of nine numbers must be symmetric")
        full = 0.5 * (full + full.T)
        return np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])
    if array.size != 6:
        raise InputError(f"{label}: a stress must have six or nine numbers, got {array.size}")
    return array.reshape(6)


def to_atoms(frame: Frame, keys: Keys | None = None) -> Atoms:
    """Make ASE's atoms of a frame, with its labels in ``info`` and ``arrays``."""
    keys = keys or Keys()
    atoms = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc)
    if frame.energy is not None:
        atoms.info[keys.energy] = frame.energy
    if frame.forces is not None:
        atoms.set_array(keys.forces, np.array(frame.forces))
    if frame.stress is not None:
        atoms.info[keys.stress] = np.array(frame.stress)
    return atoms
