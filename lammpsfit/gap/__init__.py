"""GAP potentials: Gaussian processes on descriptors that are optimised (the place of JAX).

In come frames with energies, forces and stresses, out comes a model that is an ASE calculator. The
front door is :func:`run_gap_fit` for a job with its run folder, :func:`fit_model` for frames in
memory; :func:`load_model` and :class:`GapCalculator` put a model to work. By default descriptors
are trained by the likelihood, and the model predicts from all labels of its frames.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lammpsfit.gap.calculator import GapCalculator
    from lammpsfit.gap.fit import FitOptions, fit_model
    from lammpsfit.gap.job import GapJob, read_gap_job
    from lammpsfit.gap.model_file import load_model, save_model
    from lammpsfit.gap.run import open_gap_run, run_gap_fit
    from lammpsfit.labelled import Frame, read_frames

__all__ = [
    "FitOptions",
    "Frame",
    "GapCalculator",
    "GapJob",
    "fit_model",
    "load_model",
    "open_gap_run",
    "read_frames",
    "read_gap_job",
    "run_gap_fit",
    "save_model",
]

_FILES = {
    "FitOptions": "fit",
    "GapCalculator": "calculator",
    "GapJob": "job",
    "fit_model": "fit",
    "load_model": "model_file",
    "open_gap_run": "run",
    "read_gap_job": "job",
    "run_gap_fit": "run",
    "save_model": "model_file",
}


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: JAX takes a second, and labelling does not need it."""
    if name in ("Frame", "read_frames"):
        return getattr(import_module("lammpsfit.labelled"), name)
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
