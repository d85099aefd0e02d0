"""An open fit: its job as objects, and what its journal holds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from lammpsfit.child.failure import Reason
from lammpsfit.config import Job
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import Journal, Record
from lammpsfit.files import write_text
from lammpsfit.fit.base import Ask, Outcome
from lammpsfit.fit.run.build import build_conditions, build_space
from lammpsfit.fit.run.conditions import Conditions, Samples, samples_of
from lammpsfit.fit.run.job_killers import Suspect, find_suspects
from lammpsfit.fit.run.problem import Problem
from lammpsfit.fit.run.record_models import sound_records
from lammpsfit.fit.run.records import as_told
from lammpsfit.fit.run.run_folder import RunFolder, evaluations
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.md.structure_file import check_structure
from lammpsfit.structure.rdf import FloatArray, canonical_pair
from lammpsfit.target import Evaluation
from lammpsfit.words import WARM


class Monitor(Protocol):
    """Whoever watches a fit."""

    def say(self, line: str) -> None:
        """Hear of something that takes a while, outside of any part of the work."""

    def begin(self, what: str, total: int | None, done: int) -> None:
        """Begin a part of the work, `done` of `total` evaluations being there already."""

    def finished(self, record: Record) -> None:
        """See a finished evaluation or confirmation."""

    def end(self) -> None:
        """End the part of the work."""


class Silent(Monitor):
    """A monitor that shows nothing."""


@dataclass
class Fit:
    """An open fit. Made by :func:`open_fit`; run by :func:`lammpsfit.fit.run.loop.run_fit`.

    Attributes
    ----------
    job, folder
        What is to be done, and where it is recorded.
    conditions, space
        The job as objects.
    records
        The evaluations of the search so far, in the journal's order.
    confirmations
        The records of the confirmation runs so far.
    beside
        Records of evaluations of an earlier run whose potentials lie outside of the space.
    suspects
        What was at work when a session died, see :mod:`lammpsfit.fit.run.job_killers`.
    deadline
        When this session will be stopped, on the clock of ``time.monotonic``.
    notes
        What of the run folder was damaged, and is left out.
    """

    job: Job
    folder: RunFolder
    conditions: Conditions
    space: ParameterSpace
    records: list[Record] = field(default_factory=list)
    confirmations: list[Record] = field(default_factory=list)
    beside: list[Record] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    deadline: float = math.inf
    notes: list[str] = field(default_factory=list)
    _fresh: dict[str, Samples] = field(default_factory=dict)
    _opened: float = field(default_factory=time.monotonic)
    _wall_before: float = 0.0

    def __post_init__(self) -> None:
        before = [record["wall"] for record in self.records + self.confirmations]
        self._wall_before = max(before, default=0.0)

    @property
    def problem(self) -> Problem:
        """What is fitted under the main condition."""
        return self.conditions.main

    @property
    def evaluated(self) -> int:
        """Number of evaluations of this search: those that were taken over do not count."""
        return sum(record["stage"] != WARM for record in self.records)

    @property
    def exposed(self) -> bool:
        """Whether an evaluation can kill the job, so that what begins must be journaled."""
        return self.job.farm.ranks_per_evaluation > 1

    @property
    def wall(self) -> float:
        """Wall-clock seconds spent so far, in this session and those before it."""
        return self._wall_before + time.monotonic() - self._opened

    @property
    def late(self) -> bool:
        """Whether an evaluation that began now would be cut off by the end of the session."""
        if math.isinf(self.deadline):
            return False
        # a run that hung for hours says nothing of how long the next one takes
        ran = (r for r in self.records if r.get("reason") != Reason.TIMEOUT)
        longest = max((record["seconds"] for record in ran), default=0.0)
        return bool(time.monotonic() + longest > self.deadline)

    def told(self, record: Record) -> tuple[Ask, Outcome]:
        """Turn a record into what the optimiser is told, with the run where it was kept.

        A run that is just back is told as it came, any other as it is on the disk: the same.

        Raises
        ------
        InputError
            If the sample of the run is gone.
        """
        ask, outcome = as_told(record)
        if ask.keep and outcome.ok:
            name = f"{ask.id:06d}"
            outcome = replace(outcome, run=self._fresh.pop(name, None) or self.samples(name))
        return ask, outcome

    def samples(self, name: str) -> Samples:
        """Load the samples of an evaluation or a confirmation.

        Raises
        ------
        InputError
            If one of them is gone, damaged, or of another reference.
        """
        found = {}
        for one in self.conditions.every:
            path = self.folder.sample(name, one.name)
            found[one.name] = sample = load_sample(path)
            names = one.problem.potential.pair_names
            if {*map(canonical_pair, sample.rdf.pairs)} != {
                *map(canonical_pair, names)
            } or not _same_bins(sample.rdf.r, one.problem.target.r):
                raise InputError(f"{path}: its pairs and bins must be those of the reference")
        return found

    def leave_out_unreadable(self, tell: Callable[[str], None]) -> None:
        """Leave out the evaluations whose run was kept but cannot be read any more."""
        sound = []
        for record in self.records:
            try:
                self.told(record)
            except InputError as error:
                tell(f"evaluation {record['id']} is left out: {error}")
            else:
                sound.append(record)
        self.records = sound

    def save(self, name: str, evaluation: Evaluation, *, tell: bool = False) -> None:
        """Keep the samples of an evaluation or a confirmation; in memory too, if it is to `tell`.

        They leave the memory as soon as they are told.
        """
        samples = samples_of(evaluation)
        for condition, sample in samples.items():
            save_sample(self.folder.sample(name, condition), sample)
        if tell:
            self._fresh[name] = {
                condition: replace(sample, configuration=None, packed=None)
                for condition, sample in samples.items()
            }

    def potential(self, record: Record) -> Potential:
        """Make the potential of a record of the search."""
        return self.space.potential(as_told(record)[0].x)

    def of_evaluation(self, number: int) -> Potential:
        """Return the potential of an evaluation of the search, named after it.

        Raises
        ------
        InputError
            If there is no such evaluation.
        """
        record = next((one for one in self.records if one["id"] == number), None)
        if record is None:
            known = sorted(int(one["id"]) for one in self.records)
            raise InputError(
                f"{self.folder.journal}: no evaluation {number}: "
                + (f"there are {known[0]} to {known[-1]}" if known else "there is none yet")
            )
        start = self.problem.potential
        return replace(
            self.potential(record),
            name=f"{self.folder.path.resolve().name}-{number}",
            title=f"fitted from {start.name}, evaluation {number} of its search",
            doi="",
            note="",
        )

    def structures(
        self, conditions: Conditions, monitor: Monitor, stop: Callable[[], str | None]
    ) -> dict[str, Path]:
        """Return the melted start structures by condition in the run folder, each made once."""
        paths = {}
        for one in conditions.every:
            problem = one.problem
            paths[one.name] = path = self.folder.structure(problem.system.atoms, one.name)
            if path.exists():
                check_structure(path, problem.system.atoms)
            else:
                melted = problem.melted(stop, monitor.say)
                write_text(path, melted.read_text("utf-8"))
        return paths

    def best_so_far(self) -> Record | None:
        """Return the record of the lowest objective, noisy as it is."""
        good = [record for record in self.records if record["status"] == "ok"]
        return min(good, key=lambda record: float(record["objective"][0]), default=None)


def _same_bins(r: FloatArray, wanted: FloatArray) -> bool:
    return r.size == wanted.size and bool(np.all(np.abs(r - wanted) < 0.1 * (r[1] - r[0])))


def open_fit(folder: RunFolder, job: Job, journal: Journal) -> Fit:
    """Make the objects of a job and take in what its journal holds.

    Records that no fit of this job can have written are left out, and noted.
    """
    conditions = build_conditions(job)
    space = build_space(job, conditions)
    journal, notes = sound_records(journal, space.dim, conditions.names[1:])
    if journal.damaged:
        notes.insert(0, f"{journal.damaged} damaged line(s) left out")
    return Fit(
        job,
        folder,
        conditions,
        space,
        evaluations(journal),
        journal.of_type("confirmation"),
        journal.of_type(WARM),
        find_suspects(journal),
        notes=[f"{folder.journal}: {note}" for note in notes],
    )
