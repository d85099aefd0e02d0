"""The record of a labelled frame in the journal: how it is made, checked and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lammpsfit.farm.journal import Record
from lammpsfit.gap.label_task import Labels
from lammpsfit.gap.record_models import LABELS, damaged, why_not
from lammpsfit.inputs import quoted
from lammpsfit.labelled.frame import Frame


def record_of(number: int, labels: Labels) -> Record:
    """Return the record of what came of a frame."""
    if labels.forces is None:
        return {"type": "failed", "frame": number, "reason": labels.reason}
    return {
        "type": "labels",
        "frame": number,
        "energy": labels.energy,
        "forces": labels.forces.tolist(),
        "stress": None if labels.stress is None else labels.stress.tolist(),
    }


def labelled(frame: Frame, record: Mapping[str, Any]) -> Frame:
    """Return a frame with the labels of its record."""
    return replace(frame, energy=record["energy"], forces=record["forces"], stress=record["stress"])


def check_record(record: Record, frames: Sequence[Frame], journal: Path, line: int) -> int:
    """Return the number of the frame that a record is of.

    Parameters
    ----------
    record
        Of the journal.
    frames
        Those that are labelled.
    journal, line
        Where it stands: file, and number of the record.

    Raises
    ------
    InputError
        If it is no record of one of these frames, or its labels are not those of so many atoms.
    """
    if (why := why_not(LABELS, record)) is None:
        why = _mismatch(record, frames)
    if why is not None:
        raise damaged(journal, line, why, "the frame is labelled")
    return int(record["frame"])


def _mismatch(record: Record, frames: Sequence[Frame]) -> str | None:
    number = record["frame"]
    if number >= len(frames):
        return f"there is no frame {quoted(number)}"
    if record["type"] == "labels" and len(record["forces"]) != len(frames[number]):
        return f"forces must be of {len(frames[number])} atoms, got {len(record['forces'])}"
    return None
