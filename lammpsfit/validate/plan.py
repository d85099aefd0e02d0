"""What is to be run for a validation: checked before any time is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lammpsfit.config import ConfirmTable, Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.fit.run.run_folder import potential_of
from lammpsfit.fit.seeds import Runs, run_seed
from lammpsfit.forcefield import Potential
from lammpsfit.forcefield.pairs import split_pair
from lammpsfit.inputs import quoted
from lammpsfit.md.observe import Observe, Part, Quench
from lammpsfit.models import checked
from lammpsfit.reference.angle_table import AngleTable, read_angle_table
from lammpsfit.structure.pair_counts import first_minimum
from lammpsfit.structure.rdf import canonical_pair
from lammpsfit.target import MAIN

LONGER = 2.0
"""A validation samples this many times as long as an evaluation, unless told otherwise."""


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes
    ----------
    sources
        Names of potentials in the library, TOML files, run folders.
    job_file
        Job that sets system, conditions and reference.
    condition
        Name of one of the job's conditions.
    atoms, relax, sample
        Atoms in the box, and times in ps, instead of the job's.
    density
        Whether to find the density at zero pressure.
    quench
        How to make a glass, if one is wanted.
    cutoffs
        Where bonds end in Å, by pair; others are found.
    angles
        Table of bond angles to compare with, instead of the job's.
    """

    sources: Sequence[str]
    job_file: Path
    condition: str = MAIN
    atoms: int | None = None
    relax: float | None = None
    sample: float | None = None
    density: bool = True
    quench: Quench | None = None
    cutoffs: Mapping[str, float] = field(default_factory=dict)
    angles: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What is run, and what it is compared with.

    Attributes
    ----------
    title
        Of the job.
    problem
        System, protocol and reference.
    potentials
        By label.
    parts
        What is observed of each.
    quench
        How glasses are made.
    cutoffs
        Where bonds end in Å, by pair.
    angles
        Known bond angles, if any.
    seed
        Seed of the job.
    """

    title: str
    problem: Problem
    potentials: Mapping[str, Potential]
    parts: tuple[Part, ...]
    quench: Quench | None
    cutoffs: Mapping[str, float]
    angles: AngleTable | None
    seed: int

    @property
    def units(self) -> list[tuple[str, Part]]:
        """All runs: the first part of every potential first."""
        return [(label, part) for part in self.parts for label in self.potentials]

    @property
    def bin(self) -> float:
        """Å of the bins of g(r)."""
        r = self.problem.target.r
        return float((r[-1] - r[0]) / (r.size - 1))

    def task(self, label: str, part: Part, structure: Path) -> Observe:
        """Make the task of a run. All potentials share the seeds of their runs."""
        return Observe(
            part,
            self.potentials[label],
            self.problem.protocol,
            structure,
            run_seed(self.seed, Runs.VALIDATE, list(Part).index(part)),
            self.cutoffs,
            self.bin,
            self.quench if part is Part.GLASS else None,
        )


def build_plan(request: Request) -> Plan:
    """Load everything, and check that it fits together.

    Raises
    ------
    InputError
        At the first thing that does not.
    """
    job = _condition(read_job(request.job_file), request.condition)
    problem = build_problem(job)
    sample = request.sample
    size = {
        "atoms": request.atoms,
        "relax": request.relax,
        "sample": LONGER * problem.protocol.sample if sample is None else sample,
    }
    problem = problem.of_size(checked(ConfirmTable, size, "option"))
    if request.quench is not None:
        request.quench.steps(problem.protocol)
    known = request.angles or (None if job.reference is None else job.reference.angles)
    parts = [Part.LIQUID]
    parts += [Part.DENSITY] if request.density else []
    parts += [Part.GLASS] if request.quench is not None else []
    return Plan(
        job.title,
        problem,
        _potentials(request.sources, problem),
        tuple(parts),
        request.quench,
        _cutoffs(problem, request.cutoffs),
        None if known is None else read_angle_table(known),
        job.seed,
    )


def _condition(job: Job, name: str) -> Job:
    if name == MAIN:
        return job.model_copy(update={"also": ()})
    for other in job.also:
        if other.name == name:
            return job.under(other)
    known = ", ".join([MAIN, *(other.name for other in job.also)])
    raise InputError(f"the job has no condition {quoted(name)}, only {known}")


def _potentials(sources: Sequence[str], problem: Problem) -> dict[str, Potential]:
    """Load potentials by the label tables give them: a run folder's is that of the folder."""
    potentials: dict[str, Potential] = {}
    for source in sources:
        potential = problem.load(potential_of(source))
        label = Path(source).resolve().name if Path(source).is_dir() else potential.name
        if label in potentials:
            raise InputError(
                f"{source}: potentials that are compared must have names of their own, got "
                f"{quoted(label)} again"
            )
        potentials[label] = potential
    return potentials


def _cutoffs(problem: Problem, given: Mapping[str, float]) -> dict[str, float]:
    """Say where bonds end: as given, else where the first shell of the reference does.

    Bonds there are between species of opposite charges; where nothing is charged, between all.
    """
    own = {canonical_pair(pair): cutoff for pair, cutoff in given.items()}
    structure, species = problem.target.structure, problem.potential.species
    known = (
        {}
        if structure is None
        else {canonical_pair(pair): pair for pair in structure.reference.pairs}
    )
    cutoffs = {}
    for name in problem.potential.pair_names:
        pair = known.get(canonical_pair(name), name)
        a, b = split_pair(pair)
        bonded = species[a].charge * species[b].charge < 0
        bonded |= all(kind.charge == 0 for kind in species.values())
        cutoff = own.pop(canonical_pair(pair), None)
        if cutoff is None and bonded and structure is not None and pair in known.values():
            reference = structure.reference
            cutoff = first_minimum(reference.r, reference.reorder([pair]).g[0])
        if cutoff is not None:
            cutoffs[pair] = cutoff
    if own:
        raise InputError(
            f"--cutoff {', '.join(own)}: no such pair in the system, which has "
            f"{', '.join(problem.potential.pair_names)}"
        )
    return cutoffs
