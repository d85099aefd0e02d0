"""Errors over the number of training frames, with descriptors as they were and optimised.

The descriptors are optimised once, on the job's training frames, with theta and the noises of
both kinds fitted to the same frames; then they stay. For each repeat the frames that are not held
out are shuffled once, and the first so many of them make the training set of each size, the same
for both kinds of descriptors. Nothing sees the held-out frames but the errors reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lammpsfit.errors import InputError, StoppedError, warn
from lammpsfit.farm.base import Farm
from lammpsfit.farm.journal import JournalWriter, Record, read_journal
from lammpsfit.files import replacing, write_json
from lammpsfit.gap.accuracy import Compared, as_data
from lammpsfit.gap.fit import fit_hyperparameters, fit_offsets
from lammpsfit.gap.frame_roles import OTHERS, FrameRoles, first_descriptors, mark_of
from lammpsfit.gap.job import GapJob
from lammpsfit.gap.learning_point import Kind, Point, PointTask, work_off
from lammpsfit.gap.record_models import (
    MAE,
    OPTIMISED,
    ORIGINAL,
    POINT,
    damaged,
    numbered,
    why_not,
)
from lammpsfit.gap.run import GapRun, Progress, Stopping, ask, train_descriptors
from lammpsfit.labelled.frame import FloatArray, Frame
from lammpsfit.versions import GAP_PACKAGES, versions

FORMAT: Final = 1
"""Version of the journal's records."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Errors of one kind of descriptors.

    Attributes
    ----------
    sizes : ndarray of int, shape (n_sizes,)
    forces, energy : ndarray, shape (n_sizes, n_repeats), eV/Å and eV/atom
        Mean absolute errors; NaN where the frames have no such labels, and where a size has
        fewer training sets than another.
    predicted : ndarray, shape (n,), eV/Å
        Forces of the held-out frames by the first model of the smallest size.
    """

    sizes: np.ndarray
    forces: FloatArray
    energy: FloatArray
    predicted: FloatArray


def learning_curves(
    folder: Path,
    job: GapJob,
    parts: FrameRoles,
    progress: Progress,
    stop: Stopping,
    farm: Farm[dict[str, Compared]] | None = None,
) -> tuple[dict[str, Curve], dict[str, Any]]:
    """Fit models to training sets of each size and judge them; go on from what is on disk.

    Parameters
    ----------
    folder
        A run folder with the job; gets the state of the training, a journal of the points and
        ``curve.json``.
    job, parts
        Of the fit.
    progress
        Told the part of the work, steps done, of how many, and how it stands.
    stop
        Says why to stop, or None to go on.
    farm
        Workers that fit the models, which are ended here; None: this process does, one by one.

    Returns
    -------
    curves : dict
        Of Curve by the kind of descriptors.
    summary : dict
        What ``curve.json`` says.

    Raises
    ------
    InputError
        If a size is larger than the frames that are not held out, or the folder is another's.
    StoppedError
        If it was told to stop; the points by then are kept.
    RunError
        If a worker died of a point time and again.
    """
    check_curve(job, parts)
    pool = (*parts.train, *parts.spare)
    journal = folder / "points.jsonl"
    done = open_points(journal, mark_of(job, [*pool, *parts.held_out]))
    wanted = list(_points(job))
    missing = [point for point in wanted if point not in done]
    if missing:
        kinds = _kinds(folder, job, parts, progress, stop)
        tasks = {point: _task(point, kinds, pool, parts.held_out, job) for point in missing}
        with JournalWriter(journal) as writer:
            for point, compared in work_off(tasks, farm, stop):
                done[point] = record = _record(point, compared, job)
                writer.append(record)
                now = f"{point[0]}, {point[1]} frames: {_mae(record, 'forces'):.4f} eV/Å"
                progress("points", len(done), len(wanted), now)
        if len(done) < len(wanted):
            raise StoppedError(
                f"stopped ({stop()}) with {len(done)} of {len(wanted)} points: the same "
                f"command goes on from here"
            )
    curves = {kind: _curve(kind, done, job) for kind in _kind_names(job)}
    summary = _summary(job, parts, curves)
    # a fit of the same job may be in this folder, and shares its training: its result stays
    write_json(folder / "curve.json", summary)
    return curves, summary


def check_curve(job: GapJob, parts: FrameRoles) -> None:
    """Refuse a job whose curve cannot be made, before a folder is made for it.

    Raises
    ------
    InputError
        If a size is below one or above the frames that are not held out, or no frame held out
        has forces.
    """
    sizes, most = job.learning_curve.sizes, len(parts.train) + len(parts.spare)
    if min(sizes) < 1:
        raise InputError(f"learning_curve.sizes must be at least 1, got {min(sizes)}")
    if max(sizes) > most:
        raise InputError(
            f"learning_curve.sizes goes to {max(sizes)}, but only {most} frames are not held out"
        )
    if not any(frame.forces is not None for frame in parts.held_out):
        raise InputError("a learning curve needs held-out frames with forces")


def _kind_names(job: GapJob) -> tuple[str, ...]:
    return (ORIGINAL, OPTIMISED) if job.training.optimise else (ORIGINAL,)


def _points(job: GapJob) -> Iterator[Point]:
    sets = job.learning_curve.sets
    for repeat in range(max(sets.values())):
        for size in (n for n, repeats in sets.items() if repeat < repeats):
            for kind in _kind_names(job):
                yield kind, size, repeat


def _kinds(
    folder: Path, job: GapJob, parts: FrameRoles, progress: Progress, stop: Stopping
) -> dict[str, Kind]:
    """Prepare the descriptors: as they are at first, and trained."""
    descriptors, parameters = first_descriptors(job, parts)
    options = replace(job.fit_options(), keep_training=False)
    offsets = options.offsets or fit_offsets(parts.learn, descriptors.species)
    hyper = fit_hyperparameters(
        parts.learn, descriptors, parameters, offsets, options, tell=lambda loss: ask(stop)
    )
    kinds = {ORIGINAL: Kind(descriptors, parameters, replace(options, hyper=hyper))}
    if job.training.optimise:
        trained = train_descriptors(GapRun(folder), job, parts, progress, stop)
        fitted = replace(options, hyper=trained.hyper)
        kinds[OPTIMISED] = Kind(descriptors, dict(trained.parameters), fitted)
    return kinds


def _task(
    point: Point,
    kinds: Mapping[str, Kind],
    pool: Sequence[Frame],
    held_out: Sequence[Frame],
    job: GapJob,
) -> PointTask:
    name, size, repeat = point
    order = np.random.default_rng([job.seed, repeat]).permutation(len(pool))
    chosen = tuple(pool[k] for k in np.sort(order[:size]))
    return PointTask(kinds[name], chosen, tuple(held_out))


def _record(point: Point, compared: dict[str, Compared], job: GapJob) -> Record:
    name, size, repeat = point
    record: Record = {
        "type": "point",
        "descriptors": name,
        "size": size,
        "repeat": repeat,
        "errors": as_data(compared),
    }
    if repeat == 0 and size == min(job.learning_curve.sizes):
        record["forces"] = compared["forces"].predicted.tolist()
    return record


def open_points(journal: Path, mark: str) -> dict[Point, Record]:
    """Return the points that are done; make the journal where there is none.

    Raises
    ------
    InputError
        If the journal is of other frames, or a record of it is damaged.
    """
    header = {"type": "header", "format": FORMAT, "frames": mark}
    if not journal.exists():
        # a kill half way leaves a journal with its header or none
        with replacing(journal) as part, JournalWriter(part) as writer:
            writer.append(header)
        return {}
    known = read_journal(journal)
    if known.of_type("header") != [header]:
        raise InputError(f"{journal}: {OTHERS}")
    if known.damaged:
        warn(f"{journal}: {known.damaged} damaged line(s) left out: what was in them is made again")
    done: dict[Point, Record] = {}
    for number, record in numbered(known):
        if (why := why_not(POINT, record)) is not None:
            raise damaged(journal, number, why, "the point is made")
        done[record["descriptors"], record["size"], record["repeat"]] = record
    return done


def _mae(record: Record, of: str) -> float:
    return float(record["errors"].get(of, {}).get(MAE[of], np.nan))


def _curve(kind: str, done: dict[Point, Record], job: GapJob) -> Curve:
    sets = job.learning_curve.sets

    def table(of: str) -> FloatArray:
        found = np.full((len(sets), max(sets.values())), np.nan)
        for row, (size, repeats) in zip(found, sets.items(), strict=True):
            row[:repeats] = [_mae(done[kind, size, k], of) for k in range(repeats)]
        return found

    predicted = np.array(done[kind, min(sets), 0].get("forces", []))
    return Curve(np.array(list(sets)), table("forces"), table("energy"), predicted)


def _summary(job: GapJob, parts: FrameRoles, curves: dict[str, Curve]) -> dict[str, Any]:
    found = {
        name: {
            "sizes": curve.sizes.tolist(),
            "force_mae_eV_per_A": _spread(curve.forces),
            "energy_mae_eV_per_atom": _spread(curve.energy),
        }
        for name, curve in curves.items()
    }
    return {
        "title": job.title,
        "seed": job.seed,
        "split": job.split.how,
        "repeats": list(job.learning_curve.sets.values()),
        "held_out": len(parts.held_out),
        "optimised_on": len(parts.train) if job.training.optimise else 0,
        "curves": found,
        "versions": versions(GAP_PACKAGES),
    }


def _spread(values: FloatArray) -> dict[str, list[float | None]]:
    """Mean and standard deviation over the repeats; nothing where there are no labels."""
    mean, spread = zip(*map(mean_and_spread, values), strict=True)
    return {"mean": _plain(mean), "std": _plain(spread)}


def _plain(values: Sequence[float]) -> list[float | None]:
    return [x if np.isfinite(x) else None for x in values]


def mean_and_spread(values: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation of what is not NaN; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return (float(known.mean()), float(known.std())) if len(known) else (np.nan, np.nan)
