"""Crystals: forces and stress at given cells, and what they are at rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from lammpsfit.config import CrystalTable
from lammpsfit.errors import InputError
from lammpsfit.forcefield import Potential
from lammpsfit.labelled.frame import Frame
from lammpsfit.labelled.frames import read_frames
from lammpsfit.target.crystal_response import CrystalResponse
from lammpsfit.target.crystal_terms import KINDS
from lammpsfit.target.label_terms import LabelledFrames, label_terms
from lammpsfit.target.static_term import StaticTerm
from lammpsfit.target.term import Setting

AT_PLACES: Final = ("forces", "stress")
"""What is compared at the cell and places of a file; all else is that of the crystal at rest."""


def build(tables: Sequence[CrystalTable], setting: Setting) -> Iterator[StaticTerm]:
    """Make the terms of ``[[crystal]]`` tables.

    Raises
    ------
    InputError
        If a file cannot be read or holds no crystal, or the potential has no forces on its atoms.
    """
    for table in tables:
        frames = read_frames([table.file], labelled=table.labelled)
        crystals = tuple(frame if table.labelled else _unloaded(frame) for frame in frames)
        for crystal in crystals:
            if not all(crystal.pbc):
                raise InputError(f"{crystal.label}: a crystal must be periodic in all directions")
        kinds = [kind for kind in table.fit if kind in AT_PLACES]
        per_percent: dict[str, float] = {kind: _enough(table, kind) for kind in kinds}
        yield from label_terms(LabelledFrames(table.name, crystals), per_percent, setting.potential)
        yield from _at_rest_terms(table, crystals, setting.potential)


def _at_rest_terms(
    table: CrystalTable, crystals: Sequence[Frame], potential: Potential
) -> Iterator[StaticTerm]:
    """Make the terms of what a crystal is at rest."""
    kinds: list[str] = [kind for kind in table.fit if kind not in AT_PLACES]
    kinds += ["elastic"] if table.elastic else []
    if not kinds:
        return
    if len(crystals) > 1:
        raise InputError(
            f"{table.file}: holds {len(crystals)} crystals, and {' and '.join(kinds)} are for one: "
            "make a file of each"
        )
    response = CrystalResponse.of(crystals[0])
    for kind in kinds:
        more: dict[str, Any] = {"wanted": table.elastic} if kind == "elastic" else {}
        term = KINDS[kind](table.name, response, _enough(table, kind), **more)
        term.check(potential)
        yield term


def _enough(table: CrystalTable, kind: str) -> float:
    """Return the error of one kind that counts as much as R = 1 %."""
    value: float = getattr(table, f"{kind}_per_percent")
    return value


def _unloaded(crystal: Frame) -> Frame:
    """Label a crystal with no forces and no stress."""
    return replace(crystal, forces=np.zeros((len(crystal), 3)), stress=np.zeros(6))
