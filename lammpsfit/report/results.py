"""Evaluations as rows of a table and curves of a picture."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lammpsfit.md.evaluate import Evaluation
from lammpsfit.md.failure import Failure
from lammpsfit.report.plots import Point, plot_rdf
from lammpsfit.report.tables import Row
from lammpsfit.structure.rdf import PartialRdf


def rows(results: Mapping[str, Evaluation | Failure]) -> list[Row]:
    """Make the rows of the cost table."""
    return [
        Row(label, None, note=str(result))
        if isinstance(result, Failure)
        else Row(label, result.cost, result.sample.temperature, result.sample.pressure)
        for label, result in results.items()
    ]


def points(records: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Make the points of the convergence plot from journal records, numbered as they finished."""
    return [
        Point(
            index,
            record.get("cost"),
            record.get("cost_error", 0.0),
            record["stage"],
            record.get("reason"),
            given_up="given_up" in record,
        )
        for index, record in enumerate(records, 1)
    ]


def levels(results: Mapping[str, Evaluation | Failure]) -> dict[str, float]:
    """Take the cost of each sound result."""
    return {
        label: result.cost.value
        for label, result in results.items()
        if isinstance(result, Evaluation)
    }


def plot_results(
    reference: PartialRdf,
    results: Mapping[str, Evaluation | Failure],
    path: Path,
    title: str,
) -> None:
    """Draw g(r) of every sound result against the reference."""
    sound = {label: r for label, r in results.items() if isinstance(r, Evaluation)}
    curves = {label: result.sample.rdf for label, result in sound.items()}
    definition = next((result.cost.definition for result in sound.values()), "")
    plot_rdf(reference, curves, path, title, levels(results), definition)
