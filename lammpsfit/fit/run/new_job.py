"""A first job file for a material: every choice is made, and says why, so that it can be changed.

In come what is known of the material and a potential to begin with; out comes the text of a job
that runs as it stands.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tomli_w

from lammpsfit.errors import InputError
from lammpsfit.forcefield import Potential, collapse, library_with
from lammpsfit.md.system import System, composition_of
from lammpsfit.words import list_words

ATOMS: Final = 600
"""Least number of atoms: as many as fit a cutoff of 8 Å, with some to spare."""

MOST_ATOMS: Final = 3000
"""Most atoms; a reference that reaches further than half of their box is cut off."""

FACTORS: Final[Mapping[str, float]] = {
    "A": 2.0,
    "rho": 1.3,
    "C": 3.0,
    "D8": 3.0,
    "De": 2.0,
    "a": 1.3,
    "r0": 1.1,
    "epsilon": 2.0,
    "sigma": 1.1,
}
"""Width of the bounds of a parameter by its symbol: lengths in an exponent are narrow."""

CHARGE: Final = 1.3
"""Width of the bounds of a charge."""

PER_PARAMETER: Final = 4
"""Evaluations for each free parameter: 40 for ten, as in examples/silica/quick.toml."""


@dataclass(frozen=True)
class Known:
    """What is known of the material.

    Attributes
    ----------
    formula
        Its formula.
    density
        Mass density in g/cm³.
    temperature
        Temperature of the reference in K.
    table
        Table of partial g(r), as the job file will name it.
    reach
        Where that table ends in Å.
    angles
        Table of bond angles, if any, as the job file will name it.
    pressure
        Pressure in bar, if it is wanted.
    """

    formula: str
    density: float
    temperature: float
    table: Path
    reach: float
    angles: Path | None = None
    pressure: float | None = None


def choose_potential(known: Known) -> Potential:
    """Choose a potential of the library to begin with.

    Of those that have the species: one whose Coulomb sum is a sum over pairs, since that is quick
    and all charges can be fitted then; made for these species and few others; with the highest
    barrier against collapse.

    Raises
    ------
    InputError
        If the library has none.
    """
    species = list(composition_of(known.formula))

    def rank(potential: Potential) -> tuple[bool, int, float, str]:
        ours = potential.for_composition(composition_of(known.formula))
        guard = collapse(ours, known.temperature)
        lowest = min(pair.height for pair in guard.pairs.values())
        return not _pairwise(potential), len(potential.species), -lowest, potential.name

    return min(library_with(species), key=rank)


def new_job(known: Known, potential: Potential, name: str) -> str:
    """Write a job file.

    Parameters
    ----------
    known
        What is known of the material.
    potential
        Where the search begins.
    name
        How the job file names it.

    Returns
    -------
    str
        TOML with comments.

    Raises
    ------
    InputError
        If the potential lacks a species, or nothing of it can be free.
    """
    composition = composition_of(known.formula)
    ours = potential.for_composition(composition)
    masses = ours.masses
    structure, atoms = _box(known, max(known.reach, ours.outer_cutoff), masses)
    half = System(known.formula, atoms, known.density).box_length(masses) / 2
    balance = _balance(ours, composition)
    free = list(_free(ours, balance))
    if not free:
        raise InputError(f"potential {name} has no parameter that may change: begin with another")
    spread = "all that are not zero" + (
        "; charges stay: they cannot scale together"
        if balance is None and not _pairwise(ours)
        else ""
    )
    parts = [
        "# Made by lammpsfit init; docs/jobfile.md has every key.\n"
        f"title = {_quoted(known.formula)}\n"
        f"potential = {_quoted(name)}  # the start of the search: {ours.title or ours.name}\n"
        "seed = 1\n",
        f"[reference]\nfile = {_quoted(known.table)}\n"
        + _reach(known, half)
        + (
            f"angles = {_quoted(known.angles)}  # validate compares with it\n"
            if known.angles
            else ""
        ),
        f"[system]\nformula = {_quoted(known.formula)}\n"
        f"atoms = {atoms}  # half the box is {half:.2f} Å: cutoffs and the reference must fit in\n"
        f"density = {known.density:.6g}  # g/cm³\n"
        f"structure = {_quoted(structure)}  # melted once, to begin with\n",
        f"[protocol]  # the run of one evaluation\ntemperature = {float(known.temperature)}  # K\n"
        "relax = 3.0  # ps before the first frame; each run goes on where one near it ended\n"
        "sample = 6.0  # ps; twice as long makes errors 0.7 times as large\n",
        *_wanted(known),
        *(
            [f"[charges]\nbalance = {_quoted(balance)}  # its charge follows from neutrality\n"]
            if balance and any(name.startswith("q_") for name, _ in free)
            else []
        ),
        f"[parameters]  # free: {spread}; a line less fixes one\n"
        + "".join(f"{_quoted(name)} = {{ factor = {factor:g} }}\n" for name, factor in free),
        f"[limits]\nevaluations = {PER_PARAMETER * len(free)}"
        f"  # {PER_PARAMETER} for each parameter; resume with more if it still goes down\n",
        "[confirm]  # the best are run again with fresh seeds; only these numbers count\n"
        "candidates = 3\nrepeats = 2\nrelax = 5.0  # ps\nsample = 10.0  # ps\n"
        f"compare = [{', '.join(_quoted(one) for one in _others(known, potential))}]"
        "  # known potentials beside them\n",
    ]
    return "\n".join(parts)


def _pairwise(potential: Potential) -> bool:
    """Whether its energy is a sum over pairs, which is quicker, and all charges may be free."""
    return potential.coulomb is None or potential.coulomb.pairwise


def _quoted(value: object) -> str:
    """Write a string as TOML does."""
    return tomli_w.dumps({"k": str(value)}).removeprefix("k = ").rstrip("\n")


def _box(known: Known, reach: float, masses: Mapping[str, float]) -> tuple[str, int]:
    """Choose the start structure and the number of atoms: cutoffs fit into half the box."""
    composition = composition_of(known.formula)
    unit = sum(composition.values())
    one = System(known.formula, unit, known.density).box_length(masses)
    needed = math.ceil((2.02 * reach / one) ** 3)
    units = max(math.ceil(ATOMS / unit), min(needed, MOST_ATOMS // unit))
    if composition == {"Si": 1, "O": 2}:
        return "beta-cristobalite", 24 * math.ceil((units * unit / 24) ** (1 / 3) - 1e-9) ** 3
    return "random", units * unit


def _reach(known: Known, half: float) -> str:
    if known.reach <= half:
        return f"# compared as far as it goes, {known.reach:.4g} Å\n"
    end = math.floor(10 * half) / 10
    return f"r_max = {end:g}  # Å; the table goes to {known.reach:.4g}, half the box ends before\n"


def _balance(potential: Potential, composition: Mapping[str, int]) -> str | None:
    """Choose the species whose charge follows: the potential's own, or the most negative one.

    None where charges stay: all of them must scale together if their sum is none over pairs.
    """
    charged = sum(1 for name in composition if potential.species[name].charge)
    if potential.coulomb is None or charged < 2 or (charged > 2 and not _pairwise(potential)):
        return None
    return potential.balance or min(composition, key=lambda name: potential.species[name].charge)


def _free(potential: Potential, balance: str | None) -> Iterable[tuple[str, float]]:
    """Return the parameters to be free, with the factor of their bounds."""
    if balance is not None:
        for species, kind in potential.species.items():
            if species != balance and kind.charge:
                yield f"q_{species}", CHARGE
    for pair, terms in potential.pairs.items():
        for term in terms:
            # without its depth or prefactor the shape of a term says nothing
            if term.form.core or not any(term.values[p] for p in term.form.parameter_names[:1]):
                continue
            for symbol in term.form.parameter_names:
                if symbol in FACTORS and term.values[symbol]:
                    yield f"{symbol}_{pair}", FACTORS[symbol]


def _wanted(known: Known) -> Iterable[str]:
    if known.pressure is not None:
        yield (
            f"[pressure]  # at the density above\nvalue = {known.pressure:g}  # bar\n"
            "per_percent = 5000.0  # so much costs as much as R = 1 %\n"
        )
    else:
        yield (
            "# Fit a pressure, densities, angles, coordination numbers or S(q) as well: "
            "docs/observables.md\n"
        )


def _others(known: Known, start: Potential) -> Sequence[str]:
    """Return the names of up to three known potentials of these species, to be compared with."""
    species = set(composition_of(known.formula))
    try:
        library = library_with(species)
    except InputError:
        return ()
    same = [one.name for one in library if _pairwise(one)]
    first = [start.name] if start.name in same else []
    return [*first, *(name for name in same if name not in first)][:3]


def describe_choice(known: Known, potential: Potential) -> str:
    """Say which potentials of the library there were to begin with."""
    species = list(composition_of(known.formula))
    names = [one.name for one in library_with(species) if one.name != potential.name]
    others = f"; the library also has {list_words(names)}" if names else ""
    return f"begins at {potential.name}{others}"
