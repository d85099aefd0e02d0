"""Molecular dynamics that is looked at: energies, pressure, g(r), displacements, extrapolation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.work.dynamics import Dynamics, Motion, resumed, started
from lammpsfit.structure.blocks import block_estimate, drift
from lammpsfit.structure.pair_counts import Composition, configuration_rdf
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

FloatArray = NDArray[np.float64]
Grades = Callable[[Atoms], float]

SERIES: Final = ("time", "temperature", "potential", "total", "volume", "pressure", "msd", "grade")
"""What is written down at each look: ps, K, eV per atom (twice), Å^3 per atom, bar, Å^2, and the
largest grade (:mod:`lammpsfit.gap.coverage`)."""

DR: Final = 0.05
"""Å; width of the bins of g(r)."""

MOST_LOOKS: Final = 100_000
"""All of them are kept, and written at each look."""

MOST_ATOMS: Final = 300_000
"""With their neighbours these take gigabytes."""

MOST_REACH: Final = 30.0
"""Å."""

BLOCKS: Final = 10
"""Of the averages; a run with fewer looks than these has no errors."""


@dataclass(frozen=True)
class MdRequest:
    """A run.

    Attributes
    ----------
    dynamics : Dynamics
    time, equilibrate, look : float, ps
        Length of what is looked at, what comes before it, and how often it is looked at.
    reach : float, Å
        How far g(r) goes.
    stop_at : float
        Grade of an atom that ends the run.
    """

    dynamics: Dynamics
    time: float
    equilibrate: float = 1.0
    look: float = 0.05
    reach: float = 8.0
    stop_at: float = 5.0

    def __post_init__(self) -> None:
        if self.steps(self.look) < 1 or not self.time >= self.look:
            raise InputError(
                f"a run ({self.time:g} ps) must be at least as long as the time between two looks "
                f"({self.look:g} ps), and that a time step ({self.dynamics.timestep:g} fs)"
            )
        self.steps(self.equilibrate)
        self.dynamics.steps("a run", self.time)
        if self.looks > MOST_LOOKS:
            raise InputError(
                f"a run is looked at {MOST_LOOKS} times at most, got {self.looks}: look at it "
                f"less often, or run it for a shorter time"
            )
        if not (0.0 < self.reach <= MOST_REACH and self.stop_at > 0.0):
            raise InputError(
                f"the reach of g(r) must be above 0, at most {MOST_REACH:g} Å, and the largest "
                f"grade positive, got {self.reach:g} Å and {self.stop_at:g}"
            )

    def steps(self, time: float) -> int:
        """Return how many steps a time in ps is."""
        return self.dynamics.steps("equilibration and the time between two looks", time)

    @property
    def looks(self) -> int:
        """How often the run is looked at."""
        return round(self.time / self.look)


@dataclass(frozen=True, eq=False)
class MdResult:
    """What a run was like.

    Attributes
    ----------
    series : dict of ndarray, shape (n_looks,) each
        By the names of :data:`SERIES`; what is not known is not there.
    means : dict of (float, float or None)
        Mean of each and its standard error by blocks.
    r : ndarray, shape (n_bins,), Å
    rdf : dict of ndarray, shape (n_bins,)
        g(r) by pair.
    drift : float or None, meV/atom/ps
        Of the total energy, without a thermostat.
    drift_error : float or None
    atoms : Atoms
        At the end.
    """

    series: dict[str, FloatArray]
    means: dict[str, tuple[float, float | None]]
    r: FloatArray
    rdf: dict[str, FloatArray]
    drift: float | None
    drift_error: float | None
    atoms: Atoms

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, without the atoms."""
        return {
            "series": {name: values.tolist() for name, values in self.series.items()},
            "means": {name: {"value": v, "error": e} for name, (v, e) in self.means.items()},
            "r": self.r.tolist(),
            "rdf": {name: values.tolist() for name, values in self.rdf.items()},
            "drift": self.drift,
            "drift_error": self.drift_error,
        }


def repeated(atoms: Atoms, copies: int) -> Atoms:
    """Return atoms repeated along each axis of their cell.

    Raises
    ------
    InputError
        If these are more than :data:`MOST_ATOMS`.
    """
    n = len(atoms) * copies**3
    if n > MOST_ATOMS:
        raise InputError(f"a run must have at most {MOST_ATOMS} atoms, got {n}: repeat it less")
    return atoms.repeat(copies)


def run_md(
    atoms: Atoms,
    calculator: BaseCalculator,
    request: MdRequest,
    grade: Grades | None = None,
    known: Mapping[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda state: None,
) -> MdResult:
    """Run molecular dynamics.

    Parameters
    ----------
    atoms
        Where to begin; periodic.
    calculator
        What moves them.
    request
        How.
    grade
        Gives the largest grade of some atoms; None where the potential has none.
    known
        What `keep` was given last by an earlier call, to go on from there.
    keep
        Given all that is known, as plain data, after every look. It may raise to stop.

    Raises
    ------
    InputError
        If the atoms are not periodic.
    RunError
        If the potential loses the atoms, or extrapolates further than allowed.
    """
    composition = Composition.of(atoms.get_chemical_symbols())
    bins = round(request.reach / DR)
    if known is None:
        motion = started(atoms, calculator, request.dynamics)
        motion.advance(request.steps(request.equilibrate))
        first = motion.atoms.positions.tolist()
        looks: list[dict[str, float]] = []
        total = np.zeros((len(composition.pairs), bins))
    else:
        motion = resumed(known["motion"], calculator, request.dynamics)
        first, looks, total = known["first"], known["looks"], np.array(known["rdf"])
    while len(looks) < request.looks:
        motion.advance(request.steps(request.look))
        at = motion.atoms
        looks.append(_look(motion, np.array(first), grade))
        _check_grade(looks[-1], request.stop_at)
        total += configuration_rdf(composition, at.positions, np.array(at.cell), DR, bins)
        keep({"motion": motion.state(), "first": first, "looks": looks, "rdf": total.tolist()})
    rdf = dict(zip(composition.pairs, total / len(looks), strict=True))
    return _result(looks, rdf, motion)


def _look(motion: Motion, first: FloatArray, grade: Grades | None) -> dict[str, float]:
    """Return what is written down of atoms as they are now."""
    atoms, n = motion.atoms, len(motion.atoms)
    potential = atoms.get_potential_energy() / n
    found = {
        "time": motion.steps * motion.dynamics.timestep / 1000.0,
        "temperature": atoms.get_temperature(),
        "potential": potential,
        "total": potential + atoms.get_kinetic_energy() / n,
        "volume": atoms.get_volume() / n,
    }
    if "stress" in atoms.calc.implemented_properties:
        stress = atoms.get_stress(include_ideal_gas=True)
        found["pressure"] = -stress[:3].mean() * BAR_PER_EV_PER_CUBIC_ANGSTROM
    if motion.dynamics.ensemble != "npt":  # where the cell moves, it carries its atoms
        moved = atoms.positions - first
        moved -= moved.mean(axis=0)
        found["msd"] = (moved**2).sum(axis=1).mean()
    if grade is not None:
        found["grade"] = grade(atoms)
    return {name: float(value) for name, value in found.items()}


def _check_grade(look: Mapping[str, float], most: float) -> None:
    if look.get("grade", 0.0) > most:
        raise RunError(
            f"after {look['time']:.3f} ps an atom is {look['grade']:.1f} times as far from all "
            f"training atoms as these are from one another (at most {most:g}): the model "
            f"extrapolates; label such frames and fit it again, or allow more"
        )


def _result(looks: list[dict[str, float]], rdf: dict[str, FloatArray], motion: Motion) -> MdResult:
    series: dict[str, FloatArray] = {
        name: np.array([look[name] for look in looks]) for name in SERIES if name in looks[0]
    }
    enough = len(looks) >= BLOCKS
    means: dict[str, tuple[float, float | None]] = {}
    for name in ("temperature", "potential", "volume", "pressure"):
        if name in series:
            values = series[name]
            error = float(block_estimate(values, BLOCKS).error) if enough else None
            means[name] = (float(values.mean()), error)
    slope = slope_error = None
    if motion.dynamics.ensemble == "nve" and enough:
        time = series["time"]
        change, length = drift(series["total"], time, BLOCKS), float(np.ptp(time))
        slope, slope_error = 1e3 * change.mean / length, 1e3 * change.error / length
    bins = len(next(iter(rdf.values())))
    r: FloatArray = DR * (np.arange(bins, dtype=np.float64) + 0.5)
    return MdResult(series, means, r, rdf, slope, slope_error, motion.atoms)
