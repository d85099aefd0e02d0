"""What is to be run for a validation: checked before any time is spent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from lammpsfit.config import HOTTEST, ConfirmTable, Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.fit.run.run_folder import potential_of
from lammpsfit.fit.seeds import Runs, run_seed
from lammpsfit.forcefield import Potential
from lammpsfit.forcefield.pairs import split_pair
from lammpsfit.inputs import quoted, shown
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.crystal import Crystal
from lammpsfit.md.expansion import Expansion
from lammpsfit.md.observation import Observation
from lammpsfit.md.observe import Observe, Part, Quench
from lammpsfit.md.read_structure import read_configuration
from lammpsfit.models import checked
from lammpsfit.reference.angle_table import AngleTable, read_angle_table
from lammpsfit.reference.radii import longest_bond
from lammpsfit.structure.pair_counts import first_minimum
from lammpsfit.structure.rdf import canonical_pair
from lammpsfit.target import MAIN
from lammpsfit.target.term import Setting
from lammpsfit.validate.against import Measured, parse_measured, read_measured

Task: TypeAlias = Observe | Crystal | Expansion
"""What a run is."""

LONGER = 2.0
"""A validation samples this many times as long as an evaluation, unless told otherwise."""

MOST_RUNS = 100
"""Most glasses, and most crystals."""

MOST_CELL = 2000
"""Most atoms of a cell of a crystal."""


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
    glasses
        How many glasses are made of each potential.
    crystals
        Files of crystals that are brought to rest.
    liquid
        Whether to run the liquid.
    temperatures
        Other temperatures in K at which the liquid's diffusion is measured.
    against
        Measured S(q), as :func:`~lammpsfit.validate.against.parse_measured` reads it.
    expansion
        Other temperatures in K at which the density of the glass is measured.
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
    glasses: int = 1
    crystals: Sequence[Path] = ()
    liquid: bool = True
    against: Sequence[str] = ()
    temperatures: Sequence[float] = ()
    expansion: Sequence[float] = ()


@dataclass(frozen=True)
class Run:
    """One run of each potential.

    Attributes
    ----------
    part
        What is observed.
    variant
        Which of this part, where there are several: the name of a crystal, the number of a glass
        or its expansion from the second on, a temperature.
    temperature
        Temperature in K, where it is not that of the job.
    """

    part: Part
    variant: str = ""
    temperature: float | None = None

    def __str__(self) -> str:
        """Return what tables and messages call it."""
        return f"{self.part} {self.variant}".rstrip()


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
    runs
        What is run of each.
    quench
        How glasses are made.
    cutoffs
        Where bonds end in Å, by pair.
    angles
        Known bond angles, if any.
    seed
        Seed of the job.
    crystals
        Crystals as they are known, by name.
    measured
        Measured S(q), by probe; of the glass, where one is made.
    expansion
        Temperatures in K at which the density of the glass is measured, with its own, in the order
        they are: the highest first.
    """

    title: str
    problem: Problem
    potentials: Mapping[str, Potential]
    runs: tuple[Run, ...]
    quench: Quench | None
    cutoffs: Mapping[str, float]
    angles: AngleTable | None
    seed: int
    crystals: Mapping[str, Configuration] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    expansion: tuple[float, ...] = ()

    def measured_in(self, part: Part) -> Mapping[str, Measured]:
        """Return the measured S(q) that a part is compared with."""
        compared = Part.GLASS if self.of(Part.GLASS) else Part.LIQUID
        return self.measured if part is compared else {}

    @property
    def units(self) -> list[tuple[str, Run]]:
        """All runs: the first one of every potential first."""
        return [(label, run) for run in self.runs for label in self.potentials]

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is observed of each, in the order of the runs."""
        return tuple(dict.fromkeys(run.part for run in self.runs))

    def of(self, part: Part) -> list[Run]:
        """Return the runs of a part."""
        return [run for run in self.runs if run.part is part]

    @property
    def bin(self) -> float:
        """Å of the bins of g(r)."""
        r = self.problem.target.r
        return float((r[-1] - r[0]) / (r.size - 1))

    def before(self, run: Run) -> Run | None:
        """Return the run whose result a run begins with, if there is one."""
        if run.part is not Part.EXPANSION:
            return None
        return self.of(Part.GLASS)[self.of(Part.EXPANSION).index(run)]

    def task(self, label: str, run: Run, structure: Path, glass: Observation | None = None) -> Task:
        """Make the task of a run. All potentials share the seeds of their runs.

        `glass` is what came of the run :meth:`before` it, where there is one.
        """
        part, potential = run.part, self.potentials[label]
        # those of the first run of a part are their own, whatever other runs there are
        number = list(Part).index(part) + MOST_RUNS * self.of(part).index(run)
        seed = run_seed(self.seed, Runs.VALIDATE, number)
        if part is Part.CRYSTAL:
            return Crystal(run.variant, potential, self.crystals[run.variant], seed)
        protocol = self.problem.protocol
        if glass is not None:
            assert self.quench is not None
            assert glass.solid is not None
            return Expansion(potential, protocol, self.quench, self.expansion, glass.solid, seed)
        if run.temperature is not None:
            protocol = replace(protocol.at_volume, temperature=run.temperature)
        return Observe(
            Part.LIQUID if part is Part.DIFFUSION else part,
            potential,
            protocol,
            structure,
            seed,
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
    expansion = _expansion(request, problem.protocol.temperature)
    known = request.angles or (None if job.reference is None else job.reference.angles)
    crystals = _crystals(request.crystals)
    setting = Setting(problem.potential, problem.system, problem.protocol)
    measured = [read_measured(table, setting) for table in parse_measured(request.against)]
    plan = Plan(
        job.title,
        problem,
        _potentials(request.sources, problem),
        _runs(request, problem.protocol.temperature, crystals),
        request.quench,
        _cutoffs(problem, request.cutoffs),
        None if known is None else read_angle_table(known),
        job.seed,
        crystals,
        {one.probe: one for one in measured},
        expansion,
    )
    for label, run in plan.units:
        if run.part is Part.CRYSTAL:
            plan.task(label, run, Path())  # refuses what does not fit the potential
    return plan


def _runs(request: Request, temperature: float, crystals: Iterable[str]) -> tuple[Run, ...]:
    runs = [Run(Part.LIQUID)] if request.liquid else []
    runs += [Run(Part.DENSITY)] if request.density else []
    if not 1 <= request.glasses <= MOST_RUNS:
        raise InputError(f"--glasses must be from 1 to {MOST_RUNS}, got {request.glasses}")
    if request.quench is not None:
        numbers = [str(k) if k > 1 else "" for k in range(1, request.glasses + 1)]
        runs += [Run(Part.GLASS, number) for number in numbers]
        runs += [Run(Part.EXPANSION, number) for number in numbers if request.expansion]
    elif request.glasses > 1:
        raise InputError("--glasses says how many are made: add --quench RATE")
    runs += [Run(Part.DIFFUSION, f"{T:g} K", T) for T in _temperatures(request, temperature)]
    runs += [Run(Part.CRYSTAL, name) for name in crystals]
    if not runs:
        raise InputError(
            "nothing is left to run: leave out --no-liquid, or add --quench or --crystal"
        )
    return tuple(runs)


def _temperatures(request: Request, own: float) -> list[float]:
    """Return the temperatures of further liquids: with that of the job, three or more."""
    if not request.temperatures:
        return []
    others = list(dict.fromkeys(T for T in request.temperatures if own != T))
    wrong = [T for T in others if not 0.0 < T < HOTTEST]
    if wrong:
        raise InputError(f"--temperature must be from 0 to {HOTTEST:g} K, got {wrong[0]:g}")
    if not request.liquid or not 2 <= len(others) <= MOST_RUNS:
        raise InputError(
            "--temperature needs the run of the liquid and two other temperatures or more: three "
            f"make an activation energy, got {len(others)} beside {own:g} K"
        )
    return others


def _expansion(request: Request, hottest: float) -> tuple[float, ...]:
    """Return the temperatures of the glass, the highest first; `hottest` is that of the liquid."""
    if not request.expansion:
        return ()
    if request.quench is None or request.quench.pressure is None:
        raise InputError(
            "--expansion needs a glass at constant pressure: add --quench RATE --quench-pressure 0"
        )
    own = request.quench.temperature
    if wrong := [T for T in request.expansion if not 0.0 < T < hottest]:
        raise InputError(
            f"--expansion must be from 0 K to below the liquid ({hottest:g} K), got {wrong[0]:g}"
        )
    found = sorted({own, *request.expansion}, reverse=True)
    if not 2 <= len(found) <= MOST_RUNS:
        raise InputError(
            f"--expansion needs 1 to {MOST_RUNS - 1} temperatures beside that of the glass "
            f"({own:g} K), got {len(found) - 1}"
        )
    return tuple(found)


def _crystals(files: Sequence[Path]) -> dict[str, Configuration]:
    """Read crystals; they are called after their files."""
    if len(files) > MOST_RUNS:
        raise InputError(f"there must be at most {MOST_RUNS} crystals, got {len(files)}")
    found: dict[str, Configuration] = {}
    for file in files:
        if file.stem in found:
            raise InputError(f"{shown(file)}: crystals must have names of their own")
        crystal = read_configuration(file)
        if len(crystal.types) > MOST_CELL:
            raise InputError(
                f"{shown(file)}: a cell of a crystal must have at most {MOST_CELL} atoms, got "
                f"{len(crystal.types)}"
            )
        found[file.stem] = crystal
    return found


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
    Where no g(r) of a pair is known, bonds between ions end as radii of their elements say.
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
        if cutoff is None and bonded:
            if structure is not None and pair in known.values():
                reference = structure.reference
                cutoff = first_minimum(reference.r, reference.reorder([pair]).g[0])
            elif species[a].charge or species[b].charge:
                cutoff = longest_bond(a, b)
        if cutoff is not None:
            cutoffs[pair] = cutoff
    if own:
        raise InputError(
            f"--cutoff {', '.join(own)}: no such pair in the system, which has "
            f"{', '.join(problem.potential.pair_names)}"
        )
    return cutoffs
