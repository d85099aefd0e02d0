"""Pages about run folders: read with ``fit``, told by ``report``."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lammpsfit.files import write_text
from lammpsfit.report.compare_page import compare_page
from lammpsfit.report.run_page import run_page
from lammpsfit.report.run_view import RunView
from lammpsfit.run_pages.view import view_run

__all__ = ["as_data", "view_run", "write_comparison", "write_page"]


def write_page(run: Path, output: Path) -> RunView:
    """Write the page of a run folder, finished or not, in one step.

    Raises
    ------
    InputError
        If it is no run folder, or the page cannot be written.
    """
    view = view_run(run)
    write_text(output, run_page(view))
    return view


def write_comparison(runs: Sequence[Path], output: Path) -> list[RunView]:
    """Write a page that compares several runs: their cost against their parameters.

    Raises
    ------
    InputError
        If one is no run folder, or the page cannot be written.
    """
    views = [view_run(run, slices=False) for run in runs]
    write_text(output, compare_page(views))
    return views


def as_data(views: Sequence[RunView]) -> dict[str, Any]:
    """Turn what pages tell of runs into plain data: costs as fractions, None where unknown."""
    return {"runs": [_run_data(view) for view in views]}


def _run_data(view: RunView) -> dict[str, Any]:
    best = view.best
    fields = {} if best is None else best.fields
    error = fields.get("cost_error")
    return {
        "folder": view.folder,
        "title": view.title,
        "state": view.state,
        "parameters": list(view.points.names),
        "evaluations": view.evaluated,
        "cost": fields.get("cost"),
        "objective": None if best is None or not best.ok else best.total[0],
        "minimised": view.points.what,
        "cost_error": error if error is not None and math.isfinite(error) else None,
        "confirmed": best is not None and best.confirmed,
        "atom_steps": view.atom_steps,
        "wall_s": view.wall_s,
    }
