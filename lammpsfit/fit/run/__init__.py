"""A fit from its job file to its result.

In come a job and a farm of workers, out comes a run folder with journal, result and potential. The
front door is :func:`run_fit`; :func:`open_fit` reads a run folder without running anything. What
was evaluated is in the journal before the search goes on, so that a fit can be resumed after any
death.
"""

from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Fit, Monitor, Silent, open_fit
from lammpsfit.fit.run.result import FitResult
from lammpsfit.fit.run.run_folder import RunFolder, create_run, open_run

__all__ = [
    "Fit",
    "FitResult",
    "Monitor",
    "RunFolder",
    "Silent",
    "create_run",
    "open_fit",
    "open_run",
    "run_fit",
]
