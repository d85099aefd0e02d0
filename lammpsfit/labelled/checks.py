"""Labels that may mean something else than they say: in another unit, or of another quantity.

Each check gives a line with the number that made it. It refuses nothing: there are crystals at
100 GPa, and sets with single atoms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from lammpsfit.labelled.frame import FloatArray, Frame, roomy_cell
from lammpsfit.structure.neighbours import pairs_within
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

ALONE: Final = 5.0
"""Å within which an atom of anything condensed, or of a molecule, has a neighbour."""

LARGE_STRESS: Final = 0.5
"""eV/Å^3, 80 GPa: of half of the frames it is more likely a stress in GPa or kbar."""

WIDE_ENERGY: Final = 2.0
"""eV/atom between frames of one composition: more than between a crystal and its hot liquid."""

LEAST_ATOMS: Final = 4
"""Energies of fewer atoms, as of a dimer that is pulled apart, may differ by this much."""


def is_alone(frame: Frame) -> bool:
    """Tell whether a frame is a single atom without neighbours.

    Examples
    --------
    >>> one = Frame(("Al",), np.zeros((1, 3)), 15.0 * np.eye(3), (True,) * 3)
    >>> is_alone(one), is_alone(Frame(("Al",), np.zeros((1, 3)), 2.5 * np.eye(3), (True,) * 3))
    (True, False)
    """
    if len(frame) != 1:
        return False
    return len(pairs_within(frame.positions, roomy_cell(frame, ALONE), ALONE)[2]) == 0


def label_suspicions(frames: Sequence[Frame]) -> list[str]:
    """Return a line for each label that may be in another unit than it should be."""
    return [*_large_stresses(frames), *_wide_energies(frames)]


def _large_stresses(frames: Sequence[Frame]) -> list[str]:
    sizes = [float(np.abs(frame.stress).max()) for frame in frames if frame.stress is not None]
    if not sizes or np.median(sizes) <= LARGE_STRESS:
        return []
    gpa = float(np.median(sizes)) * BAR_PER_EV_PER_CUBIC_ANGSTROM * 1e-4
    return [
        f"stresses are {np.median(sizes):.3g} eV/Å³ ({gpa:.3g} GPa) in the middle of the frames: "
        f"are they in kbar or GPa? One GPa is 0.00624 eV/Å³"
    ]


def _wide_energies(frames: Sequence[Frame]) -> list[str]:
    groups: dict[tuple[tuple[str, float], ...], list[tuple[float, Frame]]] = defaultdict(list)
    for frame in frames:
        n = len(frame)
        if frame.energy is not None and n >= LEAST_ATOMS:
            shares = tuple((s, frame.symbols.count(s) / n) for s in sorted(set(frame.symbols)))
            groups[shares].append((frame.energy / n, frame))
    lines = []
    for found in groups.values():
        low, high = min(found, key=_energy), max(found, key=_energy)
        if high[0] - low[0] > WIDE_ENERGY:
            lines.append(
                f"energies of one composition differ by {high[0] - low[0]:.3g} eV/atom, "
                f"{low[0]:.4g} ({low[1].label}) to {high[0]:.4g} ({high[1].label}): are some of "
                f"them per atom, or of another method?"
            )
    return lines


def _energy(found: tuple[float, Frame]) -> float:
    return found[0]


def contradiction(stress: FloatArray, virial: FloatArray, volume: float) -> str | None:
    """Say how a stress and a virial, both six numbers, contradict; None if they do not.

    Examples
    --------
    >>> contradiction(np.full(6, -0.01), np.full(6, -2.0), 200.0)
    'stress is -0.01 and -virial/V 0.01 eV/Å³ in component xx, of opposite sign'
    """
    other = -virial / volume
    off = np.abs(stress - other) - (SAME_STRESS + SAME_SHARE * np.abs(stress))
    worst = int(np.argmax(off))
    if off[worst] <= 0.0:
        return None
    opposite = np.abs(stress + other).max() <= SAME_STRESS + SAME_SHARE * np.abs(stress).max()
    return (
        f"stress is {stress[worst]:.4g} and -virial/V {other[worst]:.4g} eV/Å³ in component "
        f"{('xx', 'yy', 'zz', 'yz', 'xz', 'xy')[worst]}{', of opposite sign' if opposite else ''}"
    )


SAME_STRESS: Final = 1e-4
"""eV/Å^3 by which a stress and a virial may differ: rounding to four digits after the point."""

SAME_SHARE: Final = 0.02
"""Share of a stress by which they may differ besides."""
