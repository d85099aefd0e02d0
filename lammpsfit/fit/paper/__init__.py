"""The search of the silica paper, kept as a reproduction: use :mod:`lammpsfit.fit.newton` to fit.

In come points with their costs, out come the next points to run: a design, expected improvement
under a Gaussian process, then nonlinear conjugate gradients. The front door is
:class:`PaperStrategy`. Nothing outside this package but the choice of the optimiser depends on it.
Liu, Fu, Li, Ahmad Sabri & Bauchy, MRS Communications 9, 593 (2019), doi:10.1557/mrc.2019.47.
"""

from lammpsfit.fit.paper.conjugate_gradient import (
    Descent,
    DescentSettings,
    Stop,
    fletcher_reeves,
    polak_ribiere,
)
from lammpsfit.fit.paper.explore import ExploreSettings
from lammpsfit.fit.paper.line_search import LineSettings
from lammpsfit.fit.paper.optimiser import PaperSettings, PaperStrategy

__all__ = [
    "Descent",
    "DescentSettings",
    "ExploreSettings",
    "LineSettings",
    "PaperSettings",
    "PaperStrategy",
    "Stop",
    "fletcher_reeves",
    "polak_ribiere",
]
