"""From ASE's atoms to frames with labels, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.labelled.checks import contradiction
from lammpsfit.labelled.frame import LABELS, FloatArray, Frame

if TYPE_CHECKING:
    from ase import Atoms


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
    carried = held(atoms)
    stress = None
    if all(frame.pbc):  # ASE writes one of zeros for molecules
        stress = voigt(carried.get(keys.stress), label)
        virial = voigt(carried.get(keys.virial), label)
        if stress is None and virial is not None:
            stress = -virial / frame.volume
        elif stress is not None and virial is not None:
            _check_agreement(stress, virial, frame.volume, f"{label}: {keys.stress}", keys)
    found = replace(
        frame,
        energy=_number(carried.get(keys.energy), label),
        forces=carried.get(keys.forces),
        stress=stress,
    )
    if found.energy is None and found.forces is None:
        raise InputError(f"{label}: {_what_is_there(carried, keys)}")
    return found


def _check_agreement(
    stress: FloatArray, virial: FloatArray, volume: float, where: str, keys: Keys
) -> None:
    if (why := contradiction(stress, virial, volume)) is not None:
        raise InputError(f"{where} and {keys.virial} contradict: {why}: remove the wrong one")


def held(atoms: Atoms) -> dict[str, Any]:
    """Everything the atoms carry, by name."""
    inherent = ("numbers", "positions")
    arrays = {name: value for name, value in atoms.arrays.items() if name not in inherent}
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    # forces are the derivative of the free energy, where electrons have a temperature
    if "free_energy" in results:
        results["energy"] = results["free_energy"]
    return {**results, **arrays, **atoms.info}


def _what_is_there(carried: Mapping[str, Any], keys: Keys) -> str:
    bare = [name for name in LABELS if name in carried]
    if bare:
        return (
            f"no {keys.energy} or {keys.forces}, but {' and '.join(bare)} under ASE's own names: "
            f"if these are the labels, give the keys as energy, forces and stress"
        )
    there = quoted(", ".join(sorted(carried))) if carried else "nothing"
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
    from ase import Atoms  # loads as much as an evaluation, which has no need of it

    keys = keys or Keys()
    atoms = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc)
    if frame.energy is not None:
        atoms.info[keys.energy] = frame.energy
    if frame.forces is not None:
        atoms.set_array(keys.forces, np.array(frame.forces))
    if frame.stress is not None:
        atoms.info[keys.stress] = np.array(frame.stress)
    return atoms
