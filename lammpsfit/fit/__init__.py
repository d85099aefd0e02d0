"""The search for the best parameters.

In come a job and its run folder, out come confirmed parameters with their errors. An optimiser
asks for points of the unit cube and is told what they cost (:mod:`~lammpsfit.fit.base`); it knows
no LAMMPS, no MPI and no files. The front door is :mod:`lammpsfit.fit.run`. The default optimiser is
:mod:`lammpsfit.fit.newton`; :mod:`lammpsfit.fit.paper` reproduces the search of the literature;
:mod:`lammpsfit.fit.certainty` says how well the parameters are determined.
"""

from lammpsfit.fit.base import Ask, Candidate, Constraint, Optimiser, Outcome

__all__ = ["Ask", "Candidate", "Constraint", "Optimiser", "Outcome"]
