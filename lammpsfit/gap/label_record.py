"""The record of a labelled frame in the journal: how it is made, checked and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.farm.journal import Record
from lammpsfit.gap.frame import Frame
from lammpsfit.gap.label_task import Labels
from lammpsfit.inputs import quoted


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


def check_record(record: Record, frames: Sequence[Frame], journal: Path) -> int:
    """Return the number of the frame that a record is of.

    Raises
    ------
    InputError
        If it is no record of one of these frames, or its labels are not those of so many atoms.
    """
    try:
        number = record["frame"]
        if not isinstance(number, int) or not 0 <= number < len(frames):
            raise InputError(f"there is no frame {quoted(number)}")
        if record["type"] == "failed":
            if not isinstance(record["reason"], str):
                raise InputError("the reason is no text")
        elif record["type"] == "labels":
            if not isinstance(record["energy"], int | float):
                raise InputError("the energy is no number")
            if np.shape(record["forces"]) != (len(frames[number]), 3):
                raise InputError("the forces are not three numbers for each atom")
            labelled(replace(frames[number], label=f"frame {number + 1}"), record)
        else:
            raise InputError(f"no record is of type {quoted(record['type'])}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(journal, repr(error)) from None
    except InputError as error:
        raise _damaged(journal, str(error)) from None
    return number


def _damaged(journal: Path, why: str) -> InputError:
    return InputError(
        f"{journal}: a record is damaged: {why}: remove its line, and the frame is labelled again"
    )
