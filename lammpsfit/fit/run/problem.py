"""What is reproduced, and how it is run: checked before any time is spent."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lammpsfit.config import ConfirmTable, Job, ReferenceTable
from lammpsfit.errors import InputError
from lammpsfit.fit.run.start_system import system_of
from lammpsfit.forcefield import FORMS, Potential, load_potential, ordered_pair
from lammpsfit.forcefield.term import term_on_knots
from lammpsfit.inputs import quoted
from lammpsfit.md.configuration import Configuration, check_start
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.melt import Melting, melted_structure
from lammpsfit.md.protocol import BLOCKS, Protocol
from lammpsfit.md.system import System
from lammpsfit.reference import Reference, read_reference, require_pairs
from lammpsfit.reference.errors import reference_errors
from lammpsfit.structure.cost import cost
from lammpsfit.structure.neighbours import heights
from lammpsfit.structure.rdf import PartialRdf, canonical_pair
from lammpsfit.target import Setting, Target, build_terms
from lammpsfit.target.bulk_modulus import watched
from lammpsfit.target.objective import bins_up_to
from lammpsfit.target.terms.pair_distribution import PairDistribution

MELT_FACTOR = 1.25
"""The start structure is molten at this many times the temperature of the protocol."""


@dataclass(frozen=True)
class Problem:
    """What is fitted to what, and how it is evaluated.

    Attributes
    ----------
    potential
        The start, with the species of the system in the order of its formula.
    reference
        The partial g(r) with its source; None where none is wanted.
    target
        What is wanted: g(r) with range and weights, and other terms.
    system
        Composition, size and density of the box.
    protocol
        The run of one evaluation.
    melting, melt_potential
        How, and with which potential, the start structure is molten.
    box
        The start structure, where it is read from a file.
    """

    potential: Potential
    reference: Reference | None
    target: Target
    system: System
    protocol: Protocol
    melting: Melting
    melt_potential: Potential
    box: Configuration | None = None

    def of_size(self, confirm: ConfirmTable) -> "Problem":
        """Return this problem with the system size and times of a confirmation."""
        ours = self.protocol
        protocol = replace(
            ours,
            relax=ours.relax if confirm.relax is None else confirm.relax,
            sample=ours.sample if confirm.sample is None else confirm.sample,
        )
        if self.box is not None and confirm.atoms not in (None, self.system.atoms):
            raise InputError(
                f"atoms must be {self.system.atoms}, as the start structure holds, got "
                f"{confirm.atoms}: leave it out, or repeat the cell in [system]"
            )
        system = replace(self.system, atoms=confirm.atoms or self.system.atoms)
        return replace(self, system=system, protocol=protocol).checked()

    def load(self, name: str) -> Potential:
        """Load a potential for this system.

        Raises
        ------
        InputError
            If it is unknown, lacks a species, its charges do not add up to zero, or its cutoff
            reaches past half the box.
        """
        potential = _for_system(load_potential(name), self.system)
        self._check_cutoff(potential)
        return potential

    def checked(self) -> "Problem":
        """Return this problem if its lengths fit into its box, and its start structure can be made.

        Raises
        ------
        InputError
            If a cutoff or the reference reaches past half the box, the bins of the reference
            cannot be sampled, or the box holds no whole cells of the start structure.
        """
        check_start(self.system, self.melting.structure)
        for potential in (self.potential, self.melt_potential):
            self._check_cutoff(potential)
        if self.target.structure is not None:
            self._check_reach(self.target.structure.reference)
        Histogram.onto(self.target.r, self.potential.outer_cutoff)
        return self

    def _check_reach(self, reference: PartialRdf) -> None:
        half, reach = self._half_box(), reference.edges[-1]
        if reach > half + 0.5 * reference.dr:
            raise InputError(
                f"the reference must end at or below half the box ({half:.2f} Å for "
                f"{self.system.atoms} atoms), got {reach:.2f} Å: use more atoms or a lower r_max"
            )

    def melted(
        self,
        stop: Callable[[], str | None] = lambda: None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> Path:
        """Return the melted start structure, see :func:`lammpsfit.md.melt.melted_structure`."""
        return melted_structure(
            self.melt_potential, self.system, self.melting, stop, tell, self.box
        )

    def _half_box(self) -> float:
        """Half the least height of the box in Å."""
        if self.box is not None:
            return float(heights(self.box.cell).min()) / 2
        return self.system.box_length(self.potential.masses) / 2

    @property
    def setting(self) -> Setting:
        """Where its terms are wanted."""
        return Setting(self.potential, self.system, self.protocol)

    @property
    def wanted(self) -> list[str]:
        """What is reproduced, in words: the first line of the reference, and the other terms."""
        first = [] if self.reference is None else [*self.reference.header, self.reference.path.name]
        return [*first[:1], *(term.column.label for term in self.target.others)]

    def _check_cutoff(self, potential: Potential) -> None:
        half = self._half_box()
        if potential.outer_cutoff > half:
            raise InputError(
                f"cutoff must be at most half the box ({half:.2f} Å for {self.system.atoms} "
                f"atoms), got {potential.outer_cutoff:g} Å for {potential.name}: use more atoms "
                "or a smaller cutoff"
            )


def start_potential(job: Job) -> Potential:
    """Load the potential that a fit begins at, with the charges and splines that the job asks for.

    Raises
    ------
    InputError
        If it cannot be read, its charges cannot be balanced so, or a spline cannot be added.
    """
    potential, balance = _with_splines(load_potential(job.potential), job), job.charges.balance
    if balance is None:
        return potential
    if job.charges.per_composition:
        return replace(potential, balance=balance)
    system, _ = system_of(job.system)
    return replace(potential.balanced(balance, system.composition), balance=None)


def _with_splines(potential: Potential, job: Job) -> Potential:
    """Add splines that are zero everywhere to the pairs of a potential."""
    species, pairs = tuple(potential.species), dict(potential.pairs)
    for given, knots in job.splines.items():
        try:
            pair = ordered_pair(given, species)
            added = term_on_knots(FORMS["spline"], pair, knots)
        except InputError as error:
            raise InputError(f"[splines]: {error}") from None
        terms = pairs.get(pair, ())
        if any(term.form.name == added.form.name for term in terms):
            raise InputError(
                f"[splines]: pair {pair} of {potential.name} has a spline already: leave {given} "
                "out, and free its coefficients"
            )
        pairs[pair] = (*terms, added)
    return replace(potential, pairs=pairs)


def _without_zeros(potential: Potential) -> Potential:
    """Leave out splines that are zero: the start structure is that of the potential without."""
    pairs = {
        pair: tuple(term for term in terms if not term.form.knots or any(term.values.values()))
        for pair, terms in potential.pairs.items()
    }
    return replace(potential, pairs=pairs)


def build_problem(job: Job, start: Potential | None = None, *, watch: bool = False) -> Problem:
    """Load everything a job names, and check that it fits together.

    The fit begins at `start`, or where the job says. Where to `watch`, runs observe what a bulk
    modulus between this and another condition is made of.

    Raises
    ------
    InputError
        At the first thing that does not.
    """
    system, box = system_of(job.system)
    potential = _for_system(start_potential(job) if start is None else start, system)
    reference = None if job.reference is None else read_reference(job.reference.file)
    structure = None
    if reference is not None and job.reference is not None:
        structure = _structure(reference, job.reference, potential)
    given = job.protocol.model_dump(exclude_none=True)
    protocol = Protocol(**{"blocks": BLOCKS[job.protocol.ensemble]} | given)
    setting = Setting(potential, system, protocol)
    terms = build_terms(job, setting)
    seen = (watched(setting),) if watch else ()
    target = Target(structure, terms, bins_up_to(potential.outer_cutoff), seen)
    melt, molten = job.system.melt, box is None or job.system.melted
    times = ("melt", "cool", "relax")
    melting = Melting(
        structure=job.system.structure,
        melt_temperature=melt.temperature or MELT_FACTOR * protocol.temperature,
        temperature=protocol.temperature,
        **({name: getattr(melt, name) for name in times} if molten else dict.fromkeys(times, 0.0)),
        timestep_fs=protocol.timestep_fs,
        seed=melt.seed,
        pressure=melt.pressure if molten else None,
    )
    melt_potential = (
        _without_zeros(potential)
        if melt.potential is None
        else _for_system(load_potential(melt.potential), system)
    )
    return Problem(
        potential, reference, target, system, protocol, melting, melt_potential, box
    ).checked()


def _structure(
    reference: Reference, table: ReferenceTable, potential: Potential
) -> PairDistribution:
    """Take of a reference the pairs and the range that are compared."""
    ours = {canonical_pair(pair): pair for pair in potential.pair_names}
    if table.pairs is not None:
        unknown = [pair for pair in table.pairs if canonical_pair(pair) not in ours]
        if unknown or not table.pairs:
            raise InputError(
                f"reference.pairs must be some of {', '.join(potential.pair_names)}, got "
                f"{quoted(unknown[0]) if unknown else 'none'}"
            )
        ours = {canonical_pair(pair): pair for pair in table.pairs}
    require_pairs(reference, list(ours.values()))
    spelled = [pair for pair in reference.rdf.pairs if canonical_pair(pair) in ours]
    full = reference.rdf.reorder(spelled)
    # range, weights and normalisation are refused now, not after a run
    cost(full, full, table.weights, table.r_min, table.r_max)
    # the job's range is cut here, once: what lies outside is neither sampled nor compared
    compared = full.select(table.r_min, table.r_max)
    errors = reference_errors(reference, table.error, compared)
    return PairDistribution(compared, dict(table.weights), errors)


def _for_system(potential: Potential, system: System) -> Potential:
    """Restrict a potential to the species of a system, in its order, and check the charges."""
    ours = potential.for_composition(system.composition)
    ours.check_neutral(system.composition)
    return ours
