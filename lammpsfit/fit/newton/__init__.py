"""The default search: least squares with the derivatives that every run brings.

In come points with the frames of their runs, out come the next points to run. Some thirty runs do
what a search by costs alone needs a thousand for. The front door is :class:`GaussNewton`, an
:class:`~lammpsfit.fit.base.Optimiser` that follows one or more descents
(:mod:`~lammpsfit.fit.newton.descent`); each step minimises a local model of the residuals
(:mod:`~lammpsfit.fit.newton.local_model`) within a trust region.
"""

from lammpsfit.fit.newton.descent import GaussNewtonSettings
from lammpsfit.fit.newton.local_model import LocalModel
from lammpsfit.fit.newton.optimiser import GaussNewton, MultistartSettings

__all__ = ["GaussNewton", "GaussNewtonSettings", "LocalModel", "MultistartSettings"]
