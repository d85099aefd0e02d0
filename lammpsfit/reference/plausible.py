"""Whether a g(r) can be that of atoms, with r in Å."""

from __future__ import annotations

from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.structure.rdf import PartialRdf

NEAREST: Final = 0.5
"""Å that no two atoms come near: the bond of H2, the shortest there is, has 0.74 Å."""

FARTHEST: Final = 20.0
"""Å within which every pair of a condensed phase has neighbours."""

PEAK: Final = 1.5
"""g(r) above which there is a peak, and not the noise of a curve, or of atoms without order."""


def check_first_peak(rdf: PartialRdf, where: str) -> None:
    """Refuse curves whose first peak is nearer or farther than any of atoms is: r is not in Å.

    Raises
    ------
    InputError
        Naming the pair, the distance and g there.
    """
    for pair, g in zip(rdf.pairs, rdf.g, strict=True):
        there = np.flatnonzero(g > PEAK)
        if not there.size:
            continue
        first = float(rdf.r[there[0]])
        if NEAREST <= first <= FARTHEST:
            continue
        side, unit = (
            (f"beyond {NEAREST:g}", "nm") if first < NEAREST else (f"within {FARTHEST:g}", "pm")
        )
        raise InputError(
            f"{where}: the first peak of {pair} must be {side} Å, but g is {g[there[0]]:.3g} at "
            f"{first:.4g} Å: is r in {unit}?"
        )
