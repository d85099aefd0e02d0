"""What ``lammpsfit validate`` does, once its options are read."""

from collections.abc import Callable
from pathlib import Path

from lammpsfit.errors import RunError
from lammpsfit.farm.base import Farm
from lammpsfit.files import check_folder
from lammpsfit.md.observation import Observation
from lammpsfit.report.validation_page import Validation
from lammpsfit.validate.output import write_results
from lammpsfit.validate.plan import Plan
from lammpsfit.validate.run import Monitor, run_plan
from lammpsfit.validate.store import Store

RUNS = "runs"
"""Folder of the finished runs."""


def validate(
    plan: Plan,
    output: Path,
    farm: Farm[Observation],
    monitor: Monitor,
    stop: Callable[[], str | None],
    command: str,
) -> Validation:
    """Do the runs that are missing in the folder `output`, and write everything into it.

    Raises
    ------
    InputError
        If the folder cannot be written.
    StoppedError
        If it was told to stop.
    RunError
        If every run failed.
    """
    check_folder(output)
    results, stems = run_plan(plan, Store(output / RUNS), farm, monitor, stop)
    structures = {name: f"{RUNS}/{stem}" for name, stem in stems.items()}
    view = write_results(plan, results, structures, output, command)
    if not view.facts:
        reasons = "; ".join(f"{name}: {why}" for name, why in view.failures.items())
        raise RunError(f"every run failed: {reasons}")
    return view
