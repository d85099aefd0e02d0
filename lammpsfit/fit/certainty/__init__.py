"""How well a fit determines its parameters.

In comes the local model at the fitted point, out come errors of the parameters, the combinations
of them that the runs resolve, and potentials that are as good. The front door is
:func:`uncertainty`; :func:`sentences` says it in words.
"""

from lammpsfit.fit.certainty.uncertainty import Direction, Uncertainty, ensemble, uncertainty
from lammpsfit.fit.certainty.words import sentences

__all__ = ["Direction", "Uncertainty", "ensemble", "sentences", "uncertainty"]
