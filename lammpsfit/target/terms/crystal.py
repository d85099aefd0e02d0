"""Crystals at given cells: no force, no stress, or those that are stated, and elastic constants."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lammpsfit.config import CrystalTable
from lammpsfit.errors import InputError
from lammpsfit.labelled.frame import Frame
from lammpsfit.labelled.frames import read_frames
from lammpsfit.target.elastic_term import elastic_term
from lammpsfit.target.label_terms import LabelledFrames, label_terms
from lammpsfit.target.static_term import StaticTerm
from lammpsfit.target.term import Setting


def build(tables: Sequence[CrystalTable], setting: Setting) -> Iterator[StaticTerm]:
    """Make the terms of ``[[crystal]]`` tables.

    Raises
    ------
    InputError
        If a file cannot be read or holds no crystal, or the potential has no forces on its atoms.
    """
    for table in tables:
        frames = read_frames([table.file], labelled=table.labelled)
        crystals = tuple(frame if table.labelled else _at_rest(frame) for frame in frames)
        for crystal in crystals:
            if not all(crystal.pbc):
                raise InputError(f"{crystal.label}: a crystal must be periodic in all directions")
        per_percent: dict[str, float] = {
            kind: getattr(table, f"{kind}_per_percent") for kind in table.fit
        }
        yield from label_terms(LabelledFrames(table.name, crystals), per_percent, setting.potential)
        if table.elastic:
            if len(crystals) > 1:
                raise InputError(
                    f"{table.file}: holds {len(crystals)} crystals, and elastic is for one: make a "
                    "file of each"
                )
            enough, potential = table.elastic_per_percent, setting.potential
            yield elastic_term(table.name, crystals[0], table.elastic, enough, potential)


def _at_rest(crystal: Frame) -> Frame:
    """Label a crystal with no forces and no stress."""
    return replace(crystal, forces=np.zeros((len(crystal), 3)), stress=np.zeros(6))
