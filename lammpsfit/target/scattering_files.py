"""Whether a curve of diffraction can be what a job says it is."""

from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.md.histogram import FloatArray
from lammpsfit.reference.total_table import TotalTable
from lammpsfit.structure.scattering import amplitudes
from lammpsfit.target.term import Setting

RADIATION: Final = {"neutron": "neutrons", "xray": "X-rays"}
"""What is scattered, as jobs name it and in words."""

OFF_LEVEL: Final = 0.25
"""How far the mean of the last quarter of S or g may be from 1."""

PEAKS: Final = (1.5, 25.0)
"""Range of q ρ^(-1/3) of the highest peak of S: the spacing of atoms makes it some 2 to 15."""

FIRST: Final = (0.5, 5.0)
"""Range in Å of the highest peak of g(r)."""

FILLED: Final = 0.5
"""Largest mean of g below its first peak: ripples of a transform have nearly none."""


def box_length(setting: Setting) -> float:
    """Edge of the box in Å."""
    return setting.system.box_length(setting.potential.masses)


def number_density(setting: Setting) -> float:
    """Atoms per Å³ of the box."""
    return float(setting.system.atoms / box_length(setting) ** 3)


def barn_per_atom(setting: Setting) -> float:
    """(Σ c_a b_a)² in barn: what the functions of Keen hold beside those of Faber and Ziman."""
    species, counts = setting.system.species, setting.system.counts
    b = amplitudes("neutron", species, np.zeros(1))[:, 0]
    numbers = np.array([counts[name] for name in species])
    return float((numbers @ b / numbers.sum()) ** 2 / 100.0)


def check_level(known: TotalTable, curve: FloatArray, said: str, name: str) -> None:
    """Refuse a curve that is not 1 at the end of its table.

    Raises
    ------
    InputError
        If it is not.
    """
    level = float(np.mean(curve[-max(2, curve.size // 4) :]))
    if not abs(level - 1.0) <= OFF_LEVEL:
        raise InputError(
            f"{known.path}: with {said}, {name} must be 1 at the end of the table, but it is "
            f"{level:.3g}: is it another quantity?"
        )


def peak_is_plausible(known: TotalTable, S: FloatArray, setting: Setting) -> None:
    """Refuse an S(q) whose highest peak cannot be where it is.

    Raises
    ------
    InputError
        If it cannot.
    """
    top = float(known.x[np.argmax(S)])
    spacing = number_density(setting) ** (-1 / 3)
    if not PEAKS[0] <= top * spacing <= PEAKS[1]:
        raise InputError(
            f"{known.path}: the highest peak of S is at q = {top:.3g} 1/Å, where atoms "
            f"{spacing:.2g} Å apart make none: say in which unit q is (unit)"
        )


def first_peak_is_plausible(known: TotalTable, g: FloatArray) -> None:
    """Refuse a g(r) whose highest peak cannot be a bond.

    Raises
    ------
    InputError
        If it cannot.
    """
    seen = known.x > FIRST[0] / 50  # noise of a transform is largest at r = 0
    top = float(known.x[seen][np.argmax(g[seen])])
    if not FIRST[0] <= top <= FIRST[1]:
        raise InputError(
            f"{known.path}: the highest peak of g is at r = {top:.3g} Å, where no bond is: say in "
            "which unit r is (unit), or which quantity this is"
        )
    below = (known.x > 0.5 * top) & (known.x < 0.75 * top)
    if below.sum() > 1 and abs(float(g[below].mean())) > FILLED:
        raise InputError(
            f"{known.path}: g must be 0 below its first peak at {top:.3g} Å, but it is "
            f"{g[below].mean():.2g}: is it another quantity?"
        )
