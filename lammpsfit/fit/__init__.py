"""The search for the best parameters: optimisers that ask and are told.

An optimiser (:class:`Optimiser`) asks for points of the unit cube and is told
their costs; :class:`PaperStrategy` explores with a Gaussian process and
refines with conjugate gradients.
"""

from lammpsfit.fit.base import Ask, Candidate, Constraint, Optimiser, Outcome
from lammpsfit.fit.conjugate_gradient import (
    Descent,
    DescentSettings,
    Stop,
    fletcher_reeves,
    polak_ribiere,
)
from lammpsfit.fit.explore import ExploreSettings
from lammpsfit.fit.line_search import LineSettings
from lammpsfit.fit.strategy import PaperSettings, PaperStrategy

__all__ = [
    "Ask",
    "Candidate",
    "Constraint",
    "Descent",
    "DescentSettings",
    "ExploreSettings",
    "LineSettings",
    "Optimiser",
    "Outcome",
    "PaperSettings",
    "PaperStrategy",
    "Stop",
    "fletcher_reeves",
    "polak_ribiere",
]
