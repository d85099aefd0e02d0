"""The frames of a job, and what each of them is for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.gap.bounds import check_widths
from lammpsfit.gap.descriptors import Descriptors, Parameters, make_descriptors
from lammpsfit.gap.job import GapJob
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.split import How, Split, split
from lammpsfit.labelled.checks import is_alone
from lammpsfit.labelled.frame import digest
from lammpsfit.labelled.frames import Frame, read_frames


@dataclass(frozen=True, eq=False)
class FrameRoles:
    """Frames by what they are for.

    Attributes
    ----------
    train : tuple of Frame
        The model is fitted to.
    learn, validation : tuple of Frame
        Of these, those whose likelihood trains descriptors, and those that decide which step
        of the training is kept.
    held_out : tuple of Frame
        Errors are reported of; nothing else ever sees them.
    spare : tuple of Frame
        Neither.
    """

    train: tuple[Frame, ...]
    learn: tuple[Frame, ...]
    validation: tuple[Frame, ...]
    held_out: tuple[Frame, ...]
    spare: tuple[Frame, ...]


def load_frame_roles(job: GapJob, tell: Callable[[str], None] = lambda line: None) -> FrameRoles:
    """Read the frames of a job and share them out.

    Raises
    ------
    InputError
        If a file is unsound, there are too few frames, or the job does not fit them.
    """
    data, wanted = job.data, job.split
    frames = read_frames(
        data.files, data.keys.keys(), tell=tell, exclude=data.exclude, skip=data.skip
    )
    alone = sum(map(is_alone, frames))
    if alone:
        tell(f"{alone} single atoms without neighbours are fitted to, and never held out")
    chosen = _share(frames, wanted.train, wanted.held_out, wanted.how, job.seed)
    used = np.concatenate([chosen.train, chosen.held_out])
    spare = np.delete(np.arange(len(frames)), used)
    train = _picked(frames, chosen.train)
    learn: tuple[Frame, ...] = train
    validation: tuple[Frame, ...] = ()
    if job.training.optimise:
        n = wanted.validation
        inner = _share(train, len(train) - n, n, wanted.how, job.seed + 1)
        learn, validation = _picked(train, inner.train), _picked(train, inner.held_out)
    parts = FrameRoles(
        train, learn, validation, _picked(frames, chosen.held_out), _picked(frames, spare)
    )
    _check(job, parts)
    return parts


def _share(frames: Sequence[Frame], train: int, held_out: int | None, how: How, seed: int) -> Split:
    """Choose frames to train on and to hold out; single atoms are always trained on.

    The energy of one is that of its species, not of any surroundings: held out, one frame would
    make the error of all energies.
    """
    alone = [k for k, frame in enumerate(frames) if is_alone(frame)]
    if not alone:
        return split(len(frames), train, held_out, how, seed)
    if train <= len(alone):
        raise InputError(
            f"there must be more frames to train on than the {len(alone)} single atoms without "
            f"neighbours, which are always fitted to, got {train}: raise split.train, or leave "
            f"some out (data.exclude)"
        )
    others = np.delete(np.arange(len(frames)), alone)
    chosen = split(len(others), train - len(alone), held_out, how, seed)
    return Split(np.sort([*alone, *others[chosen.train]]), others[chosen.held_out])


def _picked(frames: tuple[Frame, ...] | list[Frame], which: np.ndarray) -> tuple[Frame, ...]:
    return tuple(frames[k] for k in which)


def _check(job: GapJob, parts: FrameRoles) -> None:
    """Refuse now what would fail after a run folder was made, or after the whole fit."""
    path = job.descriptors.from_model
    seen = known = {symbol for frame in parts.train for symbol in frame.symbols}
    unseen = "no frame to train on has it"
    remedy = unseen
    if path is None:
        settings = job.descriptors.settings()
        layout, parameters = settings.layout(1), settings.parameters(1)
    else:
        model = load_model(path)
        layout, parameters = model.descriptors.layout, dict(model.parameters)
        known = set(model.species)
        remedy = f"the descriptors of {path} are of {', '.join(sorted(known))}"
    if job.training.optimise:
        check_widths(layout, parameters)
        if not any(frame.forces is not None for frame in parts.validation):
            raise InputError(
                "training.optimise needs forces, which decide which step is kept, and no frame "
                "for validation has any: give forces, or set optimise = false"
            )
    offsets = job.model.offsets
    for frame in (*parts.train, *parts.held_out, *parts.spare):
        if missing := sorted(set(frame.symbols) - known):
            raise InputError(f"{frame.label}: has {missing[0]}, but {remedy}")
        if missing := sorted(set(frame.symbols) - seen - set(offsets or ())):
            raise InputError(
                f"{frame.label}: has {missing[0]}, but {unseen}: give the energy of its atom in "
                f"model.offsets"
            )
    if offsets is not None and (missing := sorted(known - set(offsets))):
        raise InputError(
            f"model.offsets: there is none of {missing[0]}: give one of each species, or leave "
            f"offsets out"
        )


def first_descriptors(job: GapJob, parts: FrameRoles) -> tuple[Descriptors, Parameters]:
    """Return descriptors with the parameters a training begins with."""
    path = job.descriptors.from_model
    if path is None:
        return make_descriptors(job.descriptors.settings(), parts.train)
    model = load_model(path)
    return model.descriptors, dict(model.parameters)


OTHERS: Final = (
    "belongs to other frames or descriptors: the data or the from_model of the job changed; "
    "choose another folder"
)
"""What is wrong with a file of another :func:`mark_of`."""


def mark_of(job: GapJob, frames: Sequence[Frame]) -> str:
    """Return what tells the data of a job from others: its frames, and descriptors it read.

    Descriptors that follow from job and frames are left out: they are the same on every machine
    but for their last bits.
    """
    path = job.descriptors.from_model
    if path is None:
        return digest(frames)
    model = load_model(path)
    parameters = {name: np.asarray(v).tolist() for name, v in sorted(model.parameters.items())}
    read = json.dumps([model.descriptors.as_dict(), parameters])
    return f"{digest(frames)}-{hashlib.sha256(read.encode()).hexdigest()[:16]}"
