"""What a page tells of a run, as plain values: made elsewhere, shown here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lammpsfit.forcefield import Potential
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Column, Curve, Curves
from lammpsfit.words import FITTED, WARM

FloatArray = NDArray[np.float64]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """A potential with what came of its runs.

    Attributes
    ----------
    label
        Name of the potential.
    fields
        Cost, errors and thermodynamics as the journal has them, or ``reason`` and ``detail``
        of its failure; those of other conditions in ``also``, by name.
    runs
        Number of runs that were pooled.
    confirmed
        Whether they had seeds that the search never saw.
    potential
        Its curves, where they are known.
    rdfs
        Its g(r) by condition, where the samples are there.
    curves
        Its other curves that were fitted, by condition.
    densities
        Mean density of each block in g/cm³ by condition, shape (blocks × runs,), those of all
        runs at one time beside each other; only where the box may change.
    """

    label: str
    fields: Record
    runs: int
    confirmed: bool
    potential: Potential | None = None
    rdfs: Mapping[str, PartialRdf] = field(default_factory=dict)
    curves: Mapping[str, Curves] = field(default_factory=dict)
    densities: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it has an objective."""
        return "objective" in self.fields

    @property
    def total(self) -> tuple[float, float]:
        """What is minimised, with its error."""
        value, error = self.fields["objective"]
        return float(value), float(error)

    def under(self, condition: "Condition") -> Record:
        """Return the fields of a condition; empty where there are none."""
        if condition.main:
            return self.fields
        found: Record = self.fields.get("also", {}).get(condition.name, {})
        return found


@dataclass(frozen=True)
class Condition:
    """What was wanted under one condition; most fits have one only.

    Attributes
    ----------
    name
        Its name.
    main
        Whether it is the first.
    system
        The system and its run, in words.
    wanted
        What it is fitted to, in words.
    source
        What the reference of g(r) says of itself, by lines; empty where there is none.
    reference
        The g(r) wanted; None where none is.
    definition
        What R is, with its range; empty where no g(r) is wanted.
    columns
        What else was wanted, as tables show it.
    curves
        Other curves that were wanted.
    """

    name: str
    main: bool
    system: str
    wanted: Sequence[str]
    source: Sequence[str]
    reference: PartialRdf | None
    definition: str
    columns: Sequence[Column]
    curves: Sequence[Curve] = ()


@dataclass(frozen=True)
class Parameter:
    """One parameter of the fit.

    Attributes
    ----------
    name, start, value
        Its name, where the fit began, and where it is now; None before the first cost.
    lower, upper
        Its bounds; None where it follows others.
    remark
        At a bound, or what it follows.
    """

    name: str
    start: float
    value: float | None
    lower: float | None = None
    upper: float | None = None
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Points:
    """The evaluations of a search in the space of its parameters.

    Attributes
    ----------
    names
        Of the free parameters, d of them.
    bounds
        Lower and upper, shape (d, 2).
    unit
        Points of the unit cube, shape (n, d).
    values
        The same in units of the parameters, shape (n, d).
    what
        What was minimised: R, or more.
    cost, error
        That with its error as fractions, NaN where there is none, shape (n,).
    stages
        Stage of each, n of them.
    path
        Rows that led to the best, in order.
    """

    names: tuple[str, ...]
    bounds: FloatArray
    unit: FloatArray
    values: FloatArray
    what: str
    cost: FloatArray
    error: FloatArray
    stages: tuple[str, ...]
    path: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Slice:
    """The surrogate along one parameter, the others held at the best point.

    Attributes
    ----------
    name
        Of the parameter.
    values
        Where it was asked, shape (m,).
    mean, low, high
        Cost with its 95 % band as fractions, shape (m,).
    gain
        Expected improvement of ln R times the chance of a cost, NaN where the search may not
        go, shape (m,).
    allowed
        Whether the guard against collapse lets the search go there, shape (m,).
    near, closeness
        Rows of the evaluations nearest to the line, and exp(-distance²/2) in length scales, (k,).
    """

    name: str
    values: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    gain: FloatArray
    allowed: NDArray[np.bool_]
    near: NDArray[np.intp]
    closeness: FloatArray


@dataclass(frozen=True, eq=False)
class Plane:
    """The surrogate over two parameters, the others held at the best point.

    Attributes
    ----------
    axes
        Numbers of the parameters.
    x, y
        Where it was asked, shape (m,) each.
    mean
        Cost as a fraction, shape (m, m), y first.
    allowed
        Whether the guard lets the search go there, shape (m, m).
    """

    axes: tuple[int, int]
    x: FloatArray
    y: FloatArray
    mean: FloatArray
    allowed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Slices:
    """What the surrogate of a search believes about its best point.

    Attributes
    ----------
    best
        Parameters held, shape (d,).
    lines
        One for each parameter.
    plane
        Over the two that matter most; None with one parameter.
    """

    best: FloatArray
    lines: tuple[Slice, ...]
    plane: Plane | None


@dataclass(frozen=True, eq=False)
class RunView:
    """All that the page of a run tells.

    Attributes
    ----------
    folder, title, state, state_words
        The run folder; the title of its job; ``"finished"``, ``"stopped"`` or ``"open"``, and
        that in words.
    start
        The potential that the fit began with.
    search
        How parameters were searched, in words.
    conditions
        What was wanted, the main condition first.
    parameters
        The free parameters, then those that follow them.
    shown
        The fit first (where it has a cost), then what it is compared with.
    records
        Evaluations of the search, as the journal has them.
    atom_steps, wall_s
        Work of search and confirmations in atoms times steps; seconds since the run began.
    temperature, barrier
        Of the guard against collapse: in K, and in kT.
    lammps, lammps_from
        LAMMPS lines of the best potential, and where they are from.
    uncertainty
        Block of the result, where there is one.
    curve_errors
        By pair, distances in Å and the standard error of U(r) of the best in eV, shape (n,) each;
        from the innermost distance that its runs saw on.
    points
        The search in its space.
    slices
        The surrogate about the best point, for searches that have one.
    seed, versions, job
        Seed; versions by package; the job file as it stands.
    files
        Names of files and folders in the run folder, with what they are.
    notes
        What of the run folder was damaged, and is left out.
    """

    folder: str
    title: str
    state: str
    state_words: str
    start: Potential
    search: str
    conditions: Sequence[Condition]
    parameters: Sequence[Parameter]
    shown: Sequence[Shown]
    records: Sequence[Record]
    atom_steps: int
    wall_s: float
    temperature: float
    barrier: float
    lammps: str
    lammps_from: str
    uncertainty: Mapping[str, Any] | None
    points: Points
    slices: Slices | None
    seed: int
    versions: Mapping[str, str]
    job: str
    files: Sequence[tuple[str, str]]
    notes: Sequence[str] = ()
    curve_errors: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    @property
    def best(self) -> Shown | None:
        """The fit, where it has a cost."""
        return self.shown[0] if self.shown and self.shown[0].label == FITTED else None

    @property
    def taken_over(self) -> int:
        """Number of evaluations that an earlier run made."""
        return sum(record["stage"] == WARM for record in self.records)

    @property
    def evaluated(self) -> int:
        """Number of evaluations that this run made."""
        return len(self.records) - self.taken_over

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return len(self.points.names)
