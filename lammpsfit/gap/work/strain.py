"""Strained cells: what teaches a potential how the energy depends on volume and shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from lammpsfit.errors import InputError

FloatArray = NDArray[np.float64]

MODES: Final = {
    "volume": np.eye(3),
    "tetragonal": np.diag([1.0, -0.5, -0.5]),
    "trigonal": np.ones((3, 3)) - np.eye(3),
}
"""Strains of size one: of a cubic crystal they see B, C11 - C12 and C44."""

MOST_CELLS: Final = 10_000
"""Each costs hours of DFT to label."""

LARGEST: Final = 0.3
"""Strains beyond this say nothing of the crystal they began with."""


def ladder(largest: float, count: int) -> Iterator[tuple[str, FloatArray]]:
    """Yield names and strain tensors, smallest first: none, then both signs of each mode.

    Parameters
    ----------
    largest
        Size of the last ones.
    count
        How many. One and a multiple of six makes whole levels.

    Raises
    ------
    InputError
        If `largest` is not within (0, 0.3], or `count` below one.

    Examples
    --------
    >>> [name for name, _ in ladder(0.04, 4)]
    ['none', 'volume +0.04', 'volume -0.04', 'tetragonal +0.04']
    """
    if not 0.0 < largest <= LARGEST:
        raise InputError(f"the largest strain must be above 0, at most {LARGEST:g}, got {largest}")
    if not 1 <= count <= MOST_CELLS:
        raise InputError(f"strained cells must be from 1 to {MOST_CELLS}, got {count}")
    yield "none", np.zeros((3, 3))
    each = 2 * len(MODES)
    levels = -(-(count - 1) // each)
    for k in range(count - 1):
        name, mode = list(MODES.items())[k % each // 2]
        size = largest * (k // each + 1) / levels * (-1) ** k
        yield f"{name} {size:+.3g}", size * mode


def strained(atoms: Atoms, strain: FloatArray) -> Atoms:
    """Return atoms whose cell and positions are strained by a tensor of shape (3, 3)."""
    moved = atoms.copy()
    moved.set_cell(np.array(atoms.cell) @ (np.eye(3) + strain), scale_atoms=True)
    return moved
