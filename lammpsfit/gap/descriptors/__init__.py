"""Descriptors of the surroundings of an atom: pure functions with trainable parameters."""

from lammpsfit.gap.descriptors.angular import Angular
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors, Layout
from lammpsfit.gap.descriptors.invariants import Invariants
from lammpsfit.gap.descriptors.radial import Radial
from lammpsfit.gap.descriptors.settings import PAPER_ETA, Settings, make_descriptors

__all__ = [
    "PAPER_ETA",
    "Angular",
    "Descriptors",
    "Invariants",
    "Layout",
    "Parameters",
    "Radial",
    "Settings",
    "make_descriptors",
]
