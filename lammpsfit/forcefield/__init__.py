"""Pair potentials: U(r), its derivatives, parameter spaces, guards and LAMMPS text."""

from lammpsfit.forcefield.coulomb import COULOMB_SUMS, CoulombSum
from lammpsfit.forcefield.coulomb.dsf import DampedShiftedForce
from lammpsfit.forcefield.forms import FORMS, Form
from lammpsfit.forcefield.free import Free, Tie
from lammpsfit.forcefield.guard import Guard, PairGuard, collapse
from lammpsfit.forcefield.library import (
    dump_potential,
    library_names,
    library_with,
    load_potential,
    names_file,
    names_run,
)
from lammpsfit.forcefield.pairs import all_pairs, ordered_pair, pair_name, split_pair
from lammpsfit.forcefield.potential import Potential
from lammpsfit.forcefield.space import ParameterSpace
from lammpsfit.forcefield.species import Species
from lammpsfit.forcefield.term import Term

__all__ = [
    "COULOMB_SUMS",
    "FORMS",
    "CoulombSum",
    "DampedShiftedForce",
    "Form",
    "Free",
    "Guard",
    "PairGuard",
    "ParameterSpace",
    "Potential",
    "Species",
    "Term",
    "Tie",
    "all_pairs",
    "collapse",
    "dump_potential",
    "library_names",
    "library_with",
    "load_potential",
    "names_file",
    "names_run",
    "ordered_pair",
    "pair_name",
    "split_pair",
]
