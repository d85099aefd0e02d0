"""Labelled frames: forces, stresses and differences of energies from an ab initio code."""

from collections.abc import Iterator, Sequence

from lammpsfit.config import FramesTable
from lammpsfit.labelled.frames import read_frames
from lammpsfit.target.label_terms import LabelledFrames, LabelTerm, label_terms
from lammpsfit.target.term import Setting


def build(tables: Sequence[FramesTable], setting: Setting) -> Iterator[LabelTerm]:
    """Make the terms of ``[[frames]]`` tables.

    Raises
    ------
    InputError
        If a file cannot be read or lacks a label, or the potential has no forces on its atoms.
    """
    for table in tables:
        frames = read_frames([table.file], exclude=table.exclude, skip=table.skip)
        per_percent: dict[str, float] = {
            kind: getattr(table, f"{kind}_per_percent") for kind in table.fit
        }
        yield from label_terms(LabelledFrames(table.name, frames), per_percent, setting.potential)
