"""The frames of a job, and what each of them is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.gap.descriptors import Descriptors, Parameters, make_descriptors
from lammpsfit.gap.frames import Frame, read_frames
from lammpsfit.gap.job import GapJob
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.split import split


@dataclass(frozen=True, eq=False)
class Parts:
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


def load_parts(job: GapJob, tell: Callable[[str], None] = lambda line: None) -> Parts:
    """Read the frames of a job and share them out.

    Raises
    ------
    InputError
        If a file is unsound, or there are too few frames.
    """
    frames: list[Frame] = []
    for path in job.data.files:
        found = read_frames([path], job.data.keys.keys(), tell=tell)
        if job.data.skip >= len(found):
            raise InputError(
                f"{path}: has {len(found)} frames, and data.skip = {job.data.skip} leaves none"
            )
        frames += found[job.data.skip :]
    wanted = job.split
    chosen = split(len(frames), wanted.train, wanted.held_out, wanted.how, job.seed)
    used = np.concatenate([chosen.train, chosen.held_out])
    spare = np.delete(np.arange(len(frames)), used)
    train = _picked(frames, chosen.train)
    learn: tuple[Frame, ...] = train
    validation: tuple[Frame, ...] = ()
    if job.training.optimise:
        n = wanted.validation
        inner = split(len(train), len(train) - n, n, wanted.how, job.seed + 1)
        learn, validation = _picked(train, inner.train), _picked(train, inner.held_out)
    return Parts(train, learn, validation, _picked(frames, chosen.held_out), _picked(frames, spare))


def _picked(frames: tuple[Frame, ...] | list[Frame], which: np.ndarray) -> tuple[Frame, ...]:
    return tuple(frames[k] for k in which)


def first_descriptors(job: GapJob, parts: Parts) -> tuple[Descriptors, Parameters]:
    """Return descriptors with the parameters a training begins with.

    Raises
    ------
    InputError
        If the job's descriptors make no sense, or those of a model lack a species.
    """
    path = job.descriptors.from_model
    if path is None:
        return make_descriptors(job.descriptors.settings(), parts.train)
    model = load_model(path)
    if missing := {s for f in parts.train for s in f.symbols} - set(model.species):
        raise InputError(
            f"{path}: its descriptors are of {', '.join(model.species)}, the frames have "
            f"{', '.join(sorted(missing))} too: make new ones"
        )
    return model.descriptors, dict(model.parameters)
