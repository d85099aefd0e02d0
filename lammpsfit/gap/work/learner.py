"""What fits and labels for active learning: the fit of a job, and a calculator of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from lammpsfit.errors import RunError
from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.gap.fit import fit_model
from lammpsfit.gap.frame_roles import FrameRoles
from lammpsfit.gap.job import GapJob
from lammpsfit.gap.label import LabelRequest, label_frames
from lammpsfit.gap.model import Model
from lammpsfit.gap.model_file import load_model, save_model
from lammpsfit.gap.run import Progress, Stopping, ask, open_gap_run, run_gap_fit
from lammpsfit.labelled.frame import Frame
from lammpsfit.labelled.frames import from_atoms, write_frames


@dataclass
class GapLearner:
    """Fits as a job says, first with its descriptors trained, then with these; labels by ASE.

    Attributes
    ----------
    folder : Path
        Gets ``first`` (the run of the job), ``model-N.json`` and ``labels-N.extxyz`` of each round.
    job : GapJob
    parts : FrameRoles
        Its frames.
    calculator : str
        Factory of the calculator that labels.
    workers : int
        Frames at a time.
    progress, stop
        Told how it stands; says why to stop.
    mover : callable or None
        Makes what moves the atoms, of the file of a model; None: the model does, by ASE.
    """

    folder: Path
    job: GapJob
    parts: FrameRoles
    calculator: str
    workers: int
    progress: Progress
    stop: Stopping
    mover: Callable[[Path], BaseCalculator] | None = None
    _now: GapCalculator | None = None

    def model_file(self, number: int) -> Path:
        """Return where the model of a round is."""
        return self.folder / f"model-{number}.json"

    def fit(self, number: int, new: Sequence[Atoms]) -> BaseCalculator:
        """Return the potential of a round; one that was fitted before is read."""
        path = self.model_file(number)
        if not path.exists():
            made = self._first() if number == 0 else self._again(self._labelled(number))
            save_model(made, path)
        self._now = GapCalculator(load_model(path))
        return self._now if self.mover is None else self.mover(path)

    def _first(self) -> Model:
        run = open_gap_run(self.folder / "first", self.job)
        if not run.result.exists():
            run_gap_fit(run, self.job, self.parts, self.progress, self.stop)
        return load_model(run.model)

    def _again(self, new: Sequence[Frame]) -> Model:
        first = load_model(self.model_file(0))
        frames = [*self.parts.train, *new]
        self.progress("fit", 0, 1, f"to {len(frames)} frames")
        options = replace(self.job.fit_options(), offsets=dict(first.offsets))
        see: Callable[[float], None] = lambda loss: ask(self.stop)  # noqa: E731
        return fit_model(frames, first.descriptors, dict(first.parameters), options, see)

    def errors(self, atoms: Atoms) -> float:
        """Return the largest predicted error of a force, eV/Å, as the length of its vector."""
        assert self._now is not None
        found = np.linalg.norm(self._now.get_property("forces_error", atoms), axis=1)
        return float(found.max())

    def label(self, number: int, frames: Sequence[Atoms]) -> None:
        """Label what a round asked for; what was labelled before is not labelled again."""
        request = LabelRequest(self.calculator, self._labels(number), self.workers)
        asked = [
            from_atoms(one, label=f"round {number}, frame {k}", labelled=False)
            for k, one in enumerate(frames, 1)
        ]
        done = label_frames(
            asked,
            request,
            lambda what, count, total: self.progress(what, count, total or 0, "frames"),
            self.stop,
        )
        if done.failed:
            name, why = next(iter(done.failed.items()))
            raise RunError(f"{name}: no label: {why}")

    def _labels(self, number: int) -> Path:
        return self.folder / f"labels-{number}.extxyz"

    def _labelled(self, number: int) -> list[Frame]:
        """Return the frames that all rounds before asked for, with their labels."""
        from lammpsfit.labelled.frames import read_frames

        return [frame for k in range(number) for frame in read_frames([self._labels(k)])]

    def write_all(self, rounds: int, path: Path) -> int:
        """Write the labels that were asked for to a file, and return how many there are."""
        frames = self._labelled(rounds - 1)
        if frames:
            write_frames(path, frames)
        return len(frames)
