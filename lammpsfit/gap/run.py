"""A fit in a folder of its own: job, state after every step, model and result.

The state is written after every step of the training, so that a fit that was killed goes on with
the step after the last one it finished, and ends where it would have ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lammpsfit.errors import InputError, StoppedError
from lammpsfit.files import check_folder, write_json, write_text
from lammpsfit.gap.accuracy import Compared, as_data, compare, predict_all
from lammpsfit.gap.fit import fit_model
from lammpsfit.gap.frame_roles import OTHERS, FrameRoles, first_descriptors, mark_of
from lammpsfit.gap.job import GapJob, read_gap_job
from lammpsfit.gap.model import Model
from lammpsfit.gap.model_file import save_model
from lammpsfit.gap.train import Step, TrainResult, TrainState, train
from lammpsfit.inputs import read_json, read_text
from lammpsfit.outputs import check_run_folder
from lammpsfit.versions import GAP_PACKAGES, versions

Progress = Callable[[str, int, int, str], None]
Stopping = Callable[[], str | None]


@dataclass(frozen=True)
class GapRun:
    """Names of the files in a run folder."""

    path: Path

    @property
    def job(self) -> Path:
        """The job as resolved."""
        return self.path / "job.toml"

    @property
    def state(self) -> Path:
        """How far the training is."""
        return self.path / "state.json"

    @property
    def model(self) -> Path:
        """The model."""
        return self.path / "model.json"

    @property
    def result(self) -> Path:
        """What came of it, for programs."""
        return self.path / "result.json"


@dataclass(frozen=True, eq=False)
class GapResult:
    """What came of a fit.

    Attributes
    ----------
    model
        Fitted to all training frames, with the descriptors as trained.
    compared
        Predictions beside labels of the held-out frames.
    trained
        What training found; None where the descriptors stayed as they were.
    summary
        All of it for ``result.json``.
    """

    model: Model
    compared: dict[str, Compared]
    trained: TrainResult | None
    summary: dict[str, Any]


def check_sources(run: GapRun, job: GapJob) -> None:
    """Refuse a run that would write over what it reads.

    Raises
    ------
    InputError
        If the job begins with the model in this folder.
    """
    if run.model.resolve() in [path.resolve() for path in job.files]:
        raise InputError(f"cannot write {run.model}: it is read: choose another folder")


def check_gap_run(path: Path, job: GapJob) -> bool:
    """Tell whether a folder holds the run of a job; refuse it where it holds anything else.

    Raises
    ------
    InputError
        If it holds the run of another job or files of these names, cannot be written to, or
        :func:`check_sources` refuses it.
    """
    run = GapRun(path)
    check_sources(run, job)
    if not os.path.lexists(run.job):
        check_run_folder(path)
        return False
    check_folder(path)
    try:
        found = read_text(run.job)
    except InputError as error:
        raise InputError(f"{error}: choose another folder") from None
    if found != job.dump():
        raise InputError(
            f"{path} holds the run of another job: choose another folder, or go on with "
            f"'lammpsfit gap resume {path}'"
        )
    return True


def open_gap_run(path: Path, job: GapJob) -> GapRun:
    """Make a run folder, or find one of the same job to go on with.

    Raises
    ------
    InputError
        If it cannot be made, or holds the run of another job.
    """
    run = GapRun(path)
    if check_gap_run(path, job):
        return run
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make the run folder ({error.strerror})") from error
    write_text(run.job, job.dump())
    return run


def find_gap_run(path: Path) -> tuple[GapRun, GapJob]:
    """Find a run folder to go on with.

    Raises
    ------
    InputError
        If there is no run in it.
    """
    run = GapRun(path)
    if not run.job.exists():
        raise InputError(f"{path}: no run of a GAP here (no job.toml)")
    return run, read_gap_job(run.job)


def run_gap_fit(
    run: GapRun, job: GapJob, parts: FrameRoles, progress: Progress, stop: Stopping
) -> GapResult:
    """Train the descriptors, fit the model, and judge it by the held-out frames.

    Parameters
    ----------
    run
        Where to write.
    job, parts
        What to fit to what.
    progress
        Told the part of the work, steps done, of at most how many, and how it stands.
    stop
        Says why to stop, or None to go on.

    Raises
    ------
    StoppedError
        If it was told to stop; the steps by then are kept.
    """
    began = time.monotonic()
    descriptors, parameters = first_descriptors(job, parts)
    options = job.fit_options()
    trained = None
    if job.training.optimise:
        trained = train_descriptors(run, job, parts, progress, stop)
        parameters = dict(trained.parameters)
        options = replace(options, hyper=trained.hyper)
    progress("fit", 0, 1, f"to {len(parts.train)} frames")
    ask(stop)
    model = fit_model(parts.train, descriptors, parameters, options, lambda loss: ask(stop))
    save_model(model, run.model)

    def see(what: str, done: int, total: int | None) -> None:
        progress(what, done, total or 0, "frames held out")
        ask(stop)

    predictions = predict_all(model, parts.held_out, job.uncertainty, see)
    compared = compare(parts.held_out, predictions, model.hyper.noises)
    summary = _summary(job, parts, model, compared, trained)
    summary["wall_s"] = time.monotonic() - began
    write_json(run.result, summary)
    return GapResult(model, compared, trained, summary)


def train_descriptors(
    run: GapRun, job: GapJob, parts: FrameRoles, progress: Progress, stop: Stopping
) -> TrainResult:
    """Train from the state on disk, if any, and write it after every step.

    Raises
    ------
    InputError
        If the state is of other frames or descriptors, or damaged.
    StoppedError
        If it was told to stop.
    """
    descriptors, parameters = first_descriptors(job, parts)
    options = job.train_options()
    mark = mark_of(job, [*parts.learn, *parts.validation])
    total = options.starts * (options.steps + 1)

    def see(step: Step, state: TrainState) -> None:
        write_json(run.state, {"frames": mark, **state.as_dict()})
        best = min(state.steps, key=lambda one: one.held_out_rmse)
        done = step.start * (options.steps + 1) + step.step + 1
        now = f"validation forces MAE {step.held_out_mae:.4f}, RMSE {step.held_out_rmse:.4f} eV/Å"
        now += f"; best: start {best.start}, step {best.step}, {best.held_out_rmse:.4f}"
        progress("train", done, total, now)
        ask(stop)

    progress("train", 0, total, "length scale and noises first")
    return train(
        parts.learn,
        parts.validation,
        descriptors,
        parameters,
        options,
        see,
        _read_state(run.state, mark),
        lambda loss: ask(stop),
    )


def ask(stop: Stopping) -> None:
    """Go on, unless there is a reason to stop.

    Raises
    ------
    StoppedError
        If there is one.
    """
    if (why := stop()) is not None:
        raise StoppedError(f"stopped ({why}): the same command goes on from here")


def _read_state(path: Path, mark: str) -> TrainState | None:
    if not path.exists():
        return None
    try:
        content = read_json(path)
    except InputError as error:
        raise InputError(f"{error}: remove it to begin anew") from None
    if not isinstance(content, dict) or content.get("frames") != mark:
        raise InputError(f"{path}: {OTHERS}")
    try:
        return TrainState.from_dict(content)
    except InputError as error:
        raise InputError(f"{path}: {error}: remove it to begin anew") from None


def _summary(
    job: GapJob,
    parts: FrameRoles,
    model: Model,
    compared: dict[str, Compared],
    trained: TrainResult | None,
) -> dict[str, Any]:
    training = None
    if trained is not None:
        training = {
            "steps": len(trained.state.steps),
            "first": vars(trained.first),
            "best": vars(trained.best),
        }
    return {
        "title": job.title,
        "seed": job.seed,
        "split": job.split.how,
        "frames": {name: len(getattr(parts, name)) for name in ("train", "validation", "held_out")},
        "held_out": as_data(compared),
        "training": training,
        "parameters": {name: np.asarray(v).tolist() for name, v in model.parameters.items()},
        "hyper": model.hyper.as_dict(),
        "offsets": model.offsets,
        "centres": len(model.centres.a),
        "versions": versions(GAP_PACKAGES),
    }
