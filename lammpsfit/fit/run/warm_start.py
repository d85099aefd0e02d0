"""Samples of an earlier fit in the pool of a new one: nothing that was run is run again.

A sample tells averages of its own potential, and by reweighting of others near it. It stays true
where bounds change, a parameter is freed or frozen, or something else is wanted of the same liquid.
It does not where the material, the box or the state is another one.

In come a finished or stopped run folder and the new job, out come those of its evaluations that
still say something (:func:`recall`), which are then copied into the new run folder
(:func:`take_in`). Those whose potential is a point of the new space become its first evaluations.
The potentials of the others lie outside of it: a parameter is frozen at another value, or bounds
exclude them. They are pooled all the same.
"""

import dataclasses
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.child.failure import SimulationError
from lammpsfit.config import Job
from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.journal import JournalWriter, Record
from lammpsfit.fit.base import Ask, Outcome, Vector
from lammpsfit.fit.newton.optimiser import GaussNewton
from lammpsfit.fit.run.conditions import Condition, Conditions, Samples
from lammpsfit.fit.run.open_fit import Fit, open_fit
from lammpsfit.fit.run.records import evaluation_record
from lammpsfit.fit.run.run_folder import open_run
from lammpsfit.forcefield import ParameterSpace, Potential, dump_potential
from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.observed import observed
from lammpsfit.md.sample import Sample
from lammpsfit.md.sample_file import CONFIGURATION, load_sample, save_sample
from lammpsfit.structure.blocks import block_means
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Evaluation, Target, Term
from lammpsfit.words import WARM

FIRST: Final = 900_000
"""Number of the first of them; those of the new search begin at 0 as always."""

MOST: Final = 48
"""Evaluations taken of one run: twice as many as a descent remembers."""

SAME: Final = 1e-9
"""Difference of U(r) in eV, or relative to it, up to which two potentials are the same."""

PROBED: Final = (0.8, 400)
"""Where U(r) is compared: from here on in Å, so many distances."""

RUNS: Final = ("temperature", "ensemble", "pressure", "timestep_fs")
"""What must be the same of two protocols: not how long runs are."""

UNLIKE: Final = ("wanted_value", "per_percent")
"""Fields of a term that what is measured of positions does not depend on."""


@dataclass(frozen=True, eq=False)
class Recalled:
    """An evaluation of an earlier run that says something of a new fit.

    Attributes
    ----------
    record
        Its record there.
    samples
        Its samples as the new fit would have made them, by condition.
    x
        Its point of the new space, shape (d,), or the nearest that this has.
    potential
        Its potential, where the space has no such point; None where it has.
    files
        Its last configurations, by condition.
    """

    record: Record
    samples: Samples
    x: Vector
    potential: Potential | None
    files: dict[str, Path]


@dataclass(frozen=True, eq=False)
class Memory:
    """What an earlier run has for a new fit.

    Attributes
    ----------
    path
        Its run folder.
    every
        The evaluations taken.
    words
        How many these are, and why others are left out, in a line.
    """

    path: Path
    every: list[Recalled]
    words: str


def recall(path: Path, job: Job, conditions: Conditions, space: ParameterSpace) -> Memory:
    """Find in an earlier run what still says something of a job.

    Raises
    ------
    InputError
        If it is no run folder, its job or inputs were changed since it began, its runs were of
        something else, or the search of the job has no use for them.
    """
    if job.strategy.name == "paper":
        raise InputError(
            f"--warm {path} is for strategy.name = 'gauss-newton', got 'paper': it takes no samples"
        )
    old = open_fit(*open_run(path))
    for one in conditions.every:
        _check_same(path, one, old.conditions)
    every: list[Recalled] = []
    lost = Counter[str]()
    for record in sorted(old.records, key=_objective):
        try:
            if len(every) == MOST:
                raise _LeftOutError(f"above the lowest {MOST}")
            every.append(_recalled(old, record, conditions, space))
        except _LeftOutError as why:
            lost[str(why)] += 1
    reasons = ", ".join(f"{why} ({number})" for why, number in lost.items())
    if not every:
        raise InputError(f"--warm {path}: none of its evaluations can be taken over: {reasons}")
    beside = sum(one.potential is not None for one in every)
    words = f"{len(every)} of {len(old.records)} evaluations of {path} are taken over"
    if beside:
        words += f", {beside} of them with potentials beyond the bounds or fixed values of this job"
    every.sort(key=lambda one: int(one.record["id"]))
    return Memory(path, every, words + (f"; left out: {reasons}" if reasons else ""))


def _objective(record: Record) -> float:
    return float(record["objective"][0]) if record["status"] == "ok" else math.inf


def take_in(fit: Fit, memories: list[Memory]) -> None:
    """Copy what was recalled into the run folder of a fit that has just begun."""
    with JournalWriter(fit.folder.journal) as journal:
        number = FIRST
        for memory in memories:
            for one in memory.every:
                record = _taken(fit, one, number, memory.path)
                journal.append(record)
                (fit.records if one.potential is None else fit.beside).append(record)
                number += 1


def hand_on(fit: Fit, optimiser: GaussNewton, tell: Callable[[str], None]) -> None:
    """Tell an optimiser what was taken over, and people what cannot be read any more."""
    told = [fit.told(record) for record in fit.records if record["stage"] == WARM]
    beside = []
    for k, record in enumerate(fit.beside, 1):
        potential = parse_potential(record["potential"], f"{fit.folder.journal}, {WARM} record")
        try:
            samples = fit.samples(f"{record['id']:06d}")
        except InputError as error:
            tell(f"evaluation {record['id']} is left out: {error}")
            continue
        made = {
            one.name: replace(
                samples[one.name],
                made_with=potential.for_composition(one.problem.system.composition),
            )
            for one in fit.conditions.every
        }
        ask = Ask(-k, np.array(record["x"]), WARM, keep=True)
        cost, its_error = record["objective"]
        beside.append((ask, Outcome(cost, its_error, run=made)))
    if told or beside:
        optimiser.recall(told, beside)


class _LeftOutError(Exception):
    """Why an evaluation is not taken over."""


def _check_same(path: Path, ours: Condition, old: Conditions) -> None:
    """Refuse a run whose samples are of something else."""
    theirs = next((one for one in old.every if one.name == ours.name), None)
    if theirs is None:
        raise InputError(
            f"--warm {path}: its runs must have been under all conditions of the job, but none was "
            f"named {ours.name}"
        )
    new, was = ours.problem, theirs.problem
    for what in ("formula", "atoms", "density"):
        _same(path, what, getattr(new.system, what), getattr(was.system, what))
    for what in RUNS:
        _same(path, what, getattr(new.protocol, what), getattr(was.protocol, what))
    _same(path, "structure", new.melting.structure, was.melting.structure)
    boxes = [one.box for one in (new, was) if one.box is not None and not one.melting.steps]
    if len(boxes) == 2 and not all(
        np.array_equal(getattr(boxes[0], part), getattr(boxes[1], part))
        for part in ("types", "positions", "cell")
    ):
        raise InputError(f"--warm {path}: its start structure must be that of the job")


def _same(path: Path, what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise InputError(
            f"--warm {path}: {what} of its runs must be that of the job ({ours}), got {theirs}"
        )


def _recalled(old: Fit, record: Record, conditions: Conditions, space: ParameterSpace) -> Recalled:
    """Bring an evaluation into the form that the new fit has.

    Raises
    ------
    _LeftOutError
        If that cannot be done.
    """
    if record["status"] != "ok" or not record.get("kept", False):
        raise _LeftOutError("no frames" if record["status"] == "ok" else "failed")
    potential = old.potential(record)
    x, exact = _place(space, potential)
    samples, files = {}, {}
    was = {one.name: one.problem.target for one in old.conditions.every}
    for one in conditions.every:
        path = old.folder.sample(f"{record['id']:06d}", one.name)
        files[one.name] = path.with_suffix(CONFIGURATION)
        try:
            sample = load_sample(path)
        except InputError:
            raise _LeftOutError("their samples are gone or damaged") from None
        made_with = potential.for_composition(one.problem.system.composition)
        _check_sums(space.base, made_with, sample)
        samples[one.name] = _as_made_here(sample, made_with, one, was[one.name])
        exact = exact and files[one.name].is_file()
    return Recalled(record, samples, x, None if exact else potential, files)


def _place(space: ParameterSpace, potential: Potential) -> tuple[Vector, bool]:
    """Return the point of a potential, or the nearest one, and whether it is that potential."""
    known = potential.parameters
    start = space.base.parameters
    x = []
    for free in space.free:
        value = known.get(free.name, start[free.name])
        x.append(free.unit(min(max(value, free.lower), free.upper)))
    point = np.array(x)
    there = space.potential(point)
    if there.species.keys() != potential.species.keys():
        return point, False
    cutoff = max(there.outer_cutoff, potential.outer_cutoff)
    r = np.linspace(PROBED[0], cutoff, PROBED[1], endpoint=False)
    curves = ((there.energy(pair, r), potential.energy(pair, r)) for pair in there.pair_names)
    same = all(np.allclose(U, V, rtol=SAME, atol=SAME) for U, V in curves)
    charges = there.charges
    alike = all(math.isclose(q, charges[name]) for name, q in potential.charges.items())
    return point, same and alike


def _check_sums(ours: Potential, theirs: Potential, sample: Sample) -> None:
    """Refuse a sample whose energies in potentials of ours its frames do not tell.

    Raises
    ------
    _LeftOutError
        If one of the Coulomb sums is none over pairs, and the other is not the same, or the frames
        do not have its energies.
    """
    sums = [one.coulomb for one in (ours, theirs)]
    if all(one is None or one.pairwise for one in sums):
        return
    if sums[0] != sums[1]:
        raise _LeftOutError("another Coulomb sum, and one of them is none over pairs")
    if sample.frames is not None and sample.frames.coulomb is None:
        raise _LeftOutError("their frames have no Coulomb energies")


def _as_made_here(sample: Sample, potential: Potential, ours: Condition, was: Target) -> Sample:
    """Make of a sample what a run of the new fit would have kept.

    Raises
    ------
    _LeftOutError
        If its bins are others, or something was not taken of its positions.
    """
    target, frames = ours.problem.target, sample.frames
    if frames is None or sample.rdf.blocks is None:
        raise _LeftOutError("no frames")
    histogram = Histogram.onto(target.r, ours.problem.potential.outer_cutoff).refined()
    fine = frames.histogram
    if fine.size != histogram.size or not math.isclose(fine.dr, histogram.dr, rel_tol=1e-6):
        raise _LeftOutError("pair distances in other bins, as of another reference or cutoff")
    for term in target.observables:
        if term.measure is not None and not _measured(term, frames.measured, was):
            raise _LeftOutError(f"{term.name} was not taken of their positions")
    blocks = len(sample.rdf.blocks)
    frames = replace(frames, histogram=replace(histogram, dr=fine.dr))
    rdf = PartialRdf.from_blocks(list(frames.pairs), target.r, frames.g(blocks))
    try:
        taken = {t.name: block_means(observed(t, frames), blocks) for t in target.observables}
        found = replace(sample, frames=frames, rdf=rdf, observed=taken)
        return target.completed(found, potential)
    except (InputError, RunError, SimulationError) as error:
        raise _LeftOutError(str(error)) from error


def _measured(term: Term, kept: object, was: Target) -> bool:
    """Whether a term finds what it takes of positions, as it would take it itself."""
    assert isinstance(kept, dict)
    before = next((one for one in was.observables if one.name == term.name), None)
    return term.name in kept and type(before) is type(term) and not any(_unlike(before, term))


def _unlike(before: Term | None, term: Term) -> Iterator[str]:
    assert dataclasses.is_dataclass(term)
    for field in dataclasses.fields(term):
        old, new = (getattr(one, field.name) for one in (before, term))
        if field.name not in UNLIKE and not _equal(old, new):
            yield field.name


def _equal(old: object, new: object) -> bool:
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return np.array_equal(np.asarray(old), np.asarray(new))
    return bool(old == new)


def _taken(fit: Fit, one: Recalled, number: int, path: Path) -> Record:
    """Copy the samples of an evaluation, and make its record."""
    name = f"{number:06d}"
    evaluation: Evaluation = fit.conditions.evaluation(one.samples)
    for condition, sample in one.samples.items():
        save_sample(fit.folder.sample(name, condition), sample)
        if one.potential is None:
            shutil.copyfile(one.files[condition], fit.folder.configuration(name, condition))
    ask = Ask(number, one.x, WARM, keep=True)
    record = evaluation_record(
        ask, fit.space.values(one.x), one.record["seed"], evaluation, one.record["seconds"]
    )
    # its work was that of the other run
    record |= {"atom_steps": 0, "wall": 0.0, "of": f"{path.name}, {one.record['id']}"}
    if one.potential is None:
        return record
    return record | {"type": WARM, "potential": dump_potential(one.potential)}
